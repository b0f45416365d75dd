"""Scalars of a training for TensorBoard: one event file beside the history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Write = Callable[[dict[str, Any]], None]


@contextmanager
def scalar_log(folder: Path, past: Sequence[dict[str, Any]]) -> Iterator[Write]:
    """A function that writes the record of one epoch.

    Event files of former starts are removed and their epochs written again, so that a job that was killed and
    went on leaves one line a curve.

    Args:
        folder: where the event file is written.
        past: records of the epochs that were done before.
    """
    from torch.utils.tensorboard import SummaryWriter  # it takes seconds to import

    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("events.out.tfevents.*"):
        old.unlink()
    with SummaryWriter(str(folder)) as writer:

        def write(record: dict[str, Any]) -> None:
            for name, value in record.items():
                if name != "epoch" and value is not None:
                    writer.add_scalar(_tag(name), value, record["epoch"])
            writer.flush()

        for record in past:
            write(record)
        yield write


def _tag(name: str) -> str:
    """``train_loss`` and ``val_loss`` are drawn together: ``loss/train``, ``loss/val``; also ``score/AP``."""
    split, _, rest = name.partition("_")
    if rest == "loss":
        return f"loss/{split}"
    return f"score/{rest}" if split == "val" else f"run/{name}"
