"""Predictions of models that were asked, as their jobs leave them: of random numbers, with a complete record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from waver.io.predictions import frames_of, prediction_table
from waver.io.tables import PACK_INDEX, read_tables, write_arrow
from waver.zeroshot.prompts.prompt_set import read_prompts
from waver.zeroshot.records import Condition, ZeroShotRecord
from waver.zeroshot.windows import frame_margins, windows

Margins = Callable[[dict[str, Any], int], np.ndarray]
"""Row of a video and number of its items -> margins of these."""


def asked_record(condition: Condition, **fields: Any) -> ZeroShotRecord:
    """A record of a condition, of the released prompts."""
    prompt = read_prompts("released").prompts[condition.prompt]
    known: dict[str, Any] = {
        "weights": "tiny random", "family": condition.model, "prompt_set": "released", "label": prompt.label,
        "prompt_sha256": prompt.sha256, "transcript": "clean" if prompt.slots else "", "calls": 10,
        "label_mass": 0.002, "seconds_per_call": 0.05, "tokens_per_call": 2100.0,
    }  # fmt: skip
    return ZeroShotRecord(**{**known, **condition._asdict(), **fields})


def write_asked(
    folder: Path,
    indexes: Sequence[Path],
    condition: Condition,
    margins: Margins,
    splits: Sequence[str] = ("val", "test"),
    protocol: str = "standard",
    **fields: Any,
) -> Path:
    """One predictions file of a condition over all videos of some splits; the margin of a window is its frames'.

    With the protocol ``cv``, everybody is of fold 0 (videos alone).
    """
    rows = [row for row in read_tables(indexes, PACK_INDEX) if row["split"] in splits and row["status"] == "ok"]
    record = asked_record(condition, **fields)
    items = [(row["video"], row["participant"], row["split"]) for row in rows]
    if condition.window is None:
        fold = [0] * len(items) if protocol == "cv" else None
        table = prediction_table(items, np.concatenate([margins(row, 1) for row in rows]), fold=fold)
    else:
        cut = [windows(row["frames"], condition.window) for row in rows]
        values = [frame_margins(one, margins(row, len(one)), row["frames"]) for row, one in zip(rows, cut, strict=True)]
        counts = [row["frames"] for row in rows]
        table = prediction_table(items, np.concatenate(values), counts, frames_of(counts))
    about = {
        "method": condition.method, "modalities": "VT" if record.transcript else "V", "level": condition.level,
        "protocol": protocol, "seed": 0, "model_set": record.weights, "config": {}, "code": "0",
        "zeroshot": record.model_dump(),
    }  # fmt: skip
    path = folder / f"{condition.method}.{'-'.join(splits)}.parquet"
    write_arrow(path, table, about)
    return path
