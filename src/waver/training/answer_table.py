"""Predictions of whole answers, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from waver.data.answers import Answer
from waver.store.tables import PREDICTIONS


def answer_table(
    answers: Sequence[Answer], margin: npt.NDArray[np.float64], fold: Sequence[int] | None = None
) -> pa.Table:
    """PREDICTIONS rows of answers, at video level."""
    columns: dict[str, Any] = {
        name: [getattr(answer, name) for answer in answers] for name in ("video", "participant", "split")
    }
    columns["frame"] = [None] * len(answers)
    columns["probability"] = np.exp(-np.logaddexp(0, -margin))
    columns["margin"] = margin
    columns["fold"] = [None] * len(answers) if fold is None else fold
    return pa.table([pa.array(columns[field.name], field.type) for field in PREDICTIONS], schema=PREDICTIONS)
