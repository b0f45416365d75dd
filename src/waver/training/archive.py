"""What a training keeps on disk between epochs: torch archives and a history, for models of every kind.

Archives are written whole or not at all, and read without executing anything.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from waver.errors import WaverError
from waver.store.whole import written_whole


def save_archive(path: Path, content: dict[str, Any]) -> None:
    """Write a torch archive, whole or not at all; equal contents give equal bytes."""
    # through memory: the archive's inner names would else depend on the temporary file's name
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with written_whole(path) as file:
        file.write_bytes(buffer.getbuffer())


def load_archive(path: Path) -> dict[str, Any] | None:
    """Content of an archive; None where there is no readable one."""
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # bytes that are no archive fail in many ways inside the unpickler
        return None
    return content


@dataclass
class Progress:
    """How far a training has come.

    Attributes:
        epoch: epochs finished.
        history: one record an epoch.
        best_epoch: epoch with the best validation score; of equal ones the first.
        best_score: that score.
        best_state: the network after that epoch, on the CPU.
    """

    epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    best_score: float = -1.0
    best_state: dict[str, Tensor] = field(default_factory=dict)

    def finished(self, epochs: int, patience: int) -> bool:
        """Whether all epochs are done, or the last ``patience`` brought nothing."""
        return self.epoch >= epochs or self.epoch - self.best_epoch >= patience

    def take(
        self,
        record: Mapping[str, Any],
        select: str,
        weights: Mapping[str, Tensor],
        undefined: str,
        judged: bool = True,
    ) -> None:
        """Take an epoch in.

        Args:
            record: of the epoch, with ``epoch`` and the validation scores ``val_<name>``.
            select: name of the score that chooses the epoch.
            weights: of the network after it.
            undefined: what to tell where that score is not a number.
            judged: False for an epoch that does not learn what is scored yet: any that is judged is better, and
                patience begins after it.

        Raises:
            WaverError: the score is not a number.
        """
        score = record[f"val_{select}"]
        if math.isnan(score):
            raise WaverError(undefined)
        self.epoch = record["epoch"]
        self.history.append({k: None if isinstance(v, float) and math.isnan(v) else v for k, v in record.items()})
        if not judged or score > self.best_score:
            self.best_epoch, self.best_score = self.epoch, score if judged else -math.inf
            self.best_state = {name: value.detach().cpu().clone() for name, value in weights.items()}

    def told(self, epochs: int, select: str, waiting: str, more: str = "") -> str:
        """The last epoch and the time left, for the log; ``waiting`` says how much of it was spent on data."""
        last, spent_s = self.history[-1], sum(record["seconds"] for record in self.history)
        left_min = (epochs - self.epoch) * spent_s / self.epoch / 60
        return (
            f"epoch {self.epoch} of at most {epochs}: {more}loss {last['train_loss']:.4f}, "
            f"val {select} {last[f'val_{select}']:.4f} (best {self.best_score:.4f} in epoch {self.best_epoch}), "
            f"{last['seconds']:.1f} s, {waiting} waiting for data, at most {left_min:.1f} min left"
        )


class Averaged(Protocol):
    """Averaged weights, of which a state can be kept."""

    def state(self) -> dict[str, Any]:
        """For a state file."""
        ...

    def load(self, state: dict[str, Any]) -> None:
        """Inverse of ``state``."""
        ...


def save_progress(
    path: str | Path,
    key: str,
    progress: Progress,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: Averaged | None = None,
) -> None:
    """Write what ``resume`` needs, whole or not at all.

    Args:
        path: file to write.
        key: what the training is made from; another key is never resumed.
        progress: epochs, history and the best network so far.
        model: the network after the last epoch.
        optimiser: with its momenta.
        average: of the weights, where there is one.
    """
    state: dict[str, Any] = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
    if average is not None:
        state["average"] = average.state()
    save_archive(Path(path), {"key": key, "progress": asdict(progress), **state})


def resume(
    path: str | Path,
    key: str,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: Averaged | None = None,
) -> Progress:
    """Go on from a state file, or from the beginning where there is none that fits.

    Random numbers need no state: every epoch draws from its own seed.
    """
    parts = load_archive(Path(path))
    if parts is None or parts.get("key") != key:
        return Progress()
    model.load_state_dict(parts["model"])
    optimiser.load_state_dict(parts["optimiser"])
    if average is not None:
        average.load(parts["average"])
    return Progress(**parts["progress"])


def write_history(path: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """JSON lines, one an epoch; the file is there whole at any time."""
    with written_whole(path) as file:
        file.write_text("".join(json.dumps(record) + "\n" for record in history))


def join_histories(histories: Sequence[Path], output: Path) -> None:
    """One history of those of the folds, each line with the number of its ``fold``."""
    lines = [
        {"fold": number, **json.loads(line)}
        for number, path in enumerate(histories)
        for line in path.read_text().splitlines()
    ]
    write_history(output, lines)
