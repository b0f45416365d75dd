"""Predictions of whole answers, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from waver.store.tables import PREDICTIONS


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
    columns: dict[str, Any] = {
        name: [getattr(answer, name) for answer in answers] for name in ("video", "participant", "split")
    }
    columns["frame"] = [None] * len(answers)
    columns["probability"] = np.exp(-np.logaddexp(0, -margin))
    columns["margin"] = margin
    columns["fold"] = [None] * len(answers) if fold is None else fold
    return pa.table([pa.array(columns[field.name], field.type) for field in PREDICTIONS], schema=PREDICTIONS)
