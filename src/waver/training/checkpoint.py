"""What a training keeps on disk between epochs: torch archives and a history, for models of every kind.

Archives are written whole or not at all, and read without executing anything.
"""

from __future__ import annotations

import io
import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from waver.errors import WaverError, is_machine_trouble
from waver.io.atomic import atomic_write
from waver.io.tables import read_metadata

log = logging.getLogger(__name__)

Model = TypeVar("Model")

FORMAT = 2
"""Of a state file; one of another format is not resumed."""
MADE_FROM = "made_from"
"""Metadata of a training's table: what all its outputs are made from."""


def save_archive(path: Path, content: dict[str, Any]) -> None:
    """Write a torch archive, whole or not at all; equal contents give equal bytes."""
    # through memory: the archive's inner names would else depend on the temporary file's name
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with atomic_write(path) as file:
        file.write_bytes(buffer.getbuffer())


def load_archive(path: Path) -> dict[str, Any] | None:
    """Content of an archive; None where there is none, or a damaged one, which the log names.

    Raises:
        OSError, MemoryError: the disk fails, the file may not be read, or the memory is exhausted.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except Exception as problem:  # bytes that are no archive fail in many ways inside the unpickler
        if is_machine_trouble(problem) or isinstance(problem, PermissionError):
            raise
        log.warning("%s is damaged (%s) and is not used", path, type(problem).__name__)
        return None
    return content


@runtime_checkable
class Stateful(Protocol):
    """What a model's file keeps by its tensors."""

    def state(self) -> Any:
        """Tensors and plain values."""


def save_model(path: Path, model: Any, version: int) -> None:
    """Write a trained model and all that is needed to apply it, atomically.

    Args:
        path: file to write.
        model: a dataclass of tensors, plain values and what is ``Stateful``.
        version: of its format.
    """
    values = {part.name: getattr(model, part.name) for part in fields(model)}
    states = {name: value.state() if isinstance(value, Stateful) else value for name, value in values.items()}
    save_archive(path, {**states, "format": version})


def load_model(
    path: Path, kind: Callable[..., Model], version: int, called: str, **restore: Callable[[Any], Any]
) -> Model:
    """Read what ``save_model`` wrote; nothing in the file is executed.

    Args:
        path: file to read.
        kind: the dataclass.
        version: of its format.
        called: what the file should hold, for the error.
        restore: name of a ``Stateful`` -> what makes it of its state.

    Raises:
        WaverError: the file holds something else, or another version of it.
    """
    parts = load_archive(path) or {}
    refused = WaverError(f"{path} is not a {called} of this version; train it again")
    if parts.pop("format", None) != version:
        raise refused
    states = {name: parts[name] for name in restore if parts.get(name) is not None}
    try:
        return kind(**parts | {name: restore[name](state) for name, state in states.items()})
    except TypeError:
        raise refused from None


@dataclass
class Progress:
    """How far a training has come.

    Attributes:
        epoch: epochs finished.
        history: one record an epoch.
        best_epoch: epoch with the best validation score, of equal ones the first; the last epoch where none is chosen.
        best_score: that score.
        best_state: the network after that epoch, on the CPU.
    """

    epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    best_score: float = -math.inf
    best_state: dict[str, Tensor] = field(default_factory=dict)

    def finished(self, epochs: int, patience: int) -> bool:
        """Whether all epochs are done, or the last ``patience`` brought nothing."""
        return self.epoch >= epochs or self.epoch - self.best_epoch >= patience

    def take(
        self, record: Mapping[str, Any], select: str, weights: Mapping[str, Tensor], undefined: str, scored: bool = True
    ) -> None:
        """Take an epoch in.

        Args:
            record: of the epoch, with ``epoch`` and the validation scores ``val_<name>``.
            select: name of the score that chooses the epoch; empty: the last epoch is kept.
            weights: of the network after it.
            undefined: the error where that score is not a number.
            scored: False for an epoch that does not learn what is scored yet: any that does is better, and patience
                begins after it.

        Raises:
            WaverError: the score is not a number.
        """
        score = record[f"val_{select}"] if select else -math.inf
        if math.isnan(score):
            raise WaverError(undefined)
        self.epoch = record["epoch"]
        self.history.append({k: None if isinstance(v, float) and math.isnan(v) else v for k, v in record.items()})
        if not select or not scored or score > self.best_score:
            self.best_epoch, self.best_score = self.epoch, score if scored else -math.inf
            self.best_state = {name: value.detach().cpu().clone() for name, value in weights.items()}

    def summary(self, epochs: int, select: str) -> str:
        """The last epoch and the time left, for the log."""
        last, spent_s = self.history[-1], sum(record["seconds"] for record in self.history)
        left_min = (epochs - self.epoch) * spent_s / self.epoch / 60
        best = f"(best {self.best_score:.4f} in epoch {self.best_epoch})"
        chosen = f"val {select} {last[f'val_{select}']:.4f} {best}, " if select else ""
        return (
            f"epoch {self.epoch} of at most {epochs}: loss {last['train_loss']:.4f}, {chosen}"
            f"{last['seconds']:.1f} s, {100 * last['data_wait_s'] / last['seconds']:.0f} % of it waiting for data, "
            f"at most {left_min:.1f} min left"
        )


def save_progress(path: str | Path, key: str, progress: Progress, parts: Mapping[str, Any]) -> None:
    """Write what ``resume`` needs, atomically.

    Args:
        path: file to write.
        key: what the training is made from; another key is never resumed.
        progress: epochs, history and the best network so far.
        parts: name -> what changes in training and has a ``state_dict``: network, optimiser, schedule, average.
    """
    states = {name: part.state_dict() for name, part in parts.items()}
    save_archive(Path(path), {"format": FORMAT, "key": key, "progress": asdict(progress), **states})


def resume(path: str | Path, key: str, parts: Mapping[str, Any]) -> Progress:
    """Go on from a state file, or from the beginning where there is none that fits; arguments as ``save_progress``.

    Random numbers need no state: every epoch draws from its own seed.
    """
    content = load_archive(Path(path))
    if content is None:
        return Progress()
    if (content.get("format"), content.get("key")) != (FORMAT, key):
        log.info("%s is of another training: this one begins anew", path)
        return Progress()
    for name, part in parts.items():
        part.load_state_dict(content[name])
    return Progress(**content["progress"])


def write_history(path: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """JSON lines, one an epoch; the file is there whole at any time."""
    with atomic_write(path) as file:
        file.write_text("".join(json.dumps(record) + "\n" for record in history))


def join_histories(histories: Sequence[Path], output: Path) -> None:
    """One history of those of the folds, each line with the number of its ``fold``."""
    lines = [
        {"fold": number, **json.loads(line)}
        for number, path in enumerate(histories)
        for line in path.read_text().splitlines()
    ]
    write_history(output, lines)


def finished(outputs: Mapping[str, Path], table: str, key: str) -> bool:
    """Whether all outputs are there and made from the same; other jobs may read them, so they stay.

    Slurm starts a job again whose node it lost, and that node may finish it. Snakemake deletes the outputs before a
    job starts: those that are there when its lock is free were made by the copy. The caller holds that lock.

    Args:
        outputs: the job's files.
        table: which of them tells the key: a Parquet file with ``MADE_FROM`` in its metadata.
        key: what they are made from.
    """
    try:
        for path in outputs.values():
            open(path, "rb").close()  # NFS answers this from the server, and whether a file exists from its memory
    except FileNotFoundError:
        return False
    same = bool(read_metadata(outputs[table]).get(MADE_FROM) == key)
    if same:
        log.info("%s was made by a copy of this job: it is kept", outputs[table])
    return same
