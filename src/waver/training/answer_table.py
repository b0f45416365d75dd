"""Predictions of whole answers, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from waver.store.predictions import prediction_table


class Whole(Protocol):
    """A video, or the answer in it."""

    @property
    def video(self) -> str: ...
    @property
    def participant(self) -> str: ...
    @property
    def split(self) -> str: ...


def answer_table(
    answers: Sequence[Whole], margin: npt.NDArray[np.float64], fold: Sequence[int] | None = None
) -> pa.Table:
    """PREDICTIONS rows of n videos with margins [n], at video level."""
    items = [(answer.video, answer.participant, answer.split) for answer in answers]
    return prediction_table(items, margin, fold=fold)
