"""The rows of a table of predictions, as every method writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from waver.io.tables import PREDICTIONS

Item = tuple[str, str, str]
"""Video, participant and split."""
Floats = npt.NDArray[np.float64]


def prediction_table(
    items: Sequence[Item],
    margin: Floats,
    counts: Sequence[int] | None = None,
    frame: npt.NDArray[np.integer[Any]] | None = None,
    fold: Sequence[int | None] | None = None,
) -> pa.Table:
    """PREDICTIONS rows.

    Args:
        items: the predicted items, in the order of the rows.
        margin: float64 [n], logit of A/H minus logit of none.
        counts: rows of each item; None: one each.
        frame: [n], on the 24 fps clock; None: predictions of whole videos.
        fold: of each item, the fold that held it out; None: no cross-validation.
    """
    owner = pa.array(np.repeat(np.arange(len(items)), 1 if counts is None else np.asarray(counts, np.int64)))
    columns = {
        name: pa.array([item[place] for item in items], pa.string()).take(owner)
        for place, name in enumerate(("video", "participant", "split"))
    }
    columns["frame"] = pa.nulls(len(owner), pa.int32()) if frame is None else pa.array(frame, pa.int32())
    # in logarithms, so that very negative margins keep their order
    columns["probability"] = pa.array(np.exp(-np.logaddexp(0, -margin)))
    columns["margin"] = pa.array(margin)
    columns["fold"] = pa.array([None] * len(items) if fold is None else fold, pa.int8()).take(owner)
    return pa.table([columns[name] for name in PREDICTIONS.names], schema=PREDICTIONS)


def frames_of(counts: Sequence[int]) -> npt.NDArray[np.int64]:
    """Frames 0, 1, ... of each item in turn, int64 [sum of counts]."""
    rows = np.asarray(counts, np.int64)
    return np.arange(rows.sum()) - np.repeat(np.cumsum(rows) - rows, rows)


class VideoAnswer(Protocol):
    """A video, or the answer in it."""

    @property
    def video(self) -> str: ...
    @property
    def participant(self) -> str: ...
    @property
    def split(self) -> str: ...


def answer_table(
    answers: Sequence[VideoAnswer], margin: npt.NDArray[np.float64], fold: Sequence[int] | None = None
) -> pa.Table:
    """PREDICTIONS rows of n videos with margins [n], at video level."""
    items = [(answer.video, answer.participant, answer.split) for answer in answers]
    return prediction_table(items, margin, fold=fold)
