"""A small data set after ``align``, and predictions made to order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from waver.align.packs import read_packs
from waver.store.tables import PACK_INDEX, PREDICTIONS, read_tables, write_table

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Folder:
    """Files of the data set."""

    path: Path
    indexes: list[Path]
    packs: Path
    participants: Path
    videos: Path
    controls: dict[str, Path]

    def rows(self, *splits: str) -> Rows:
        return [row for row in read_tables(self.indexes, PACK_INDEX) if row["split"] in splits]

    def labels(self) -> dict[str, np.ndarray]:
        return {video.video: video.arrays["label"] for video in read_packs(self.indexes, self.packs, ("label",))}


def prediction_rows(rows: Rows, guess: Callable[[dict[str, Any]], np.ndarray]) -> Rows:
    """Frame-level predictions: ``guess`` gives the probabilities of a video's frames."""
    return [
        {
            "video": row["video"],
            "participant": row["participant"],
            "split": row["split"],
            "frame": frame,
            "probability": float(probability),
            "margin": 0.0,
        }
        for row in rows
        for frame, probability in enumerate(guess(row))
    ]


def write_predictions(path: Path, rows: Rows, method: str, **about: Any) -> Path:
    record = {"method": method, "modalities": "V", "level": "frame", "protocol": "standard", "seed": 0}
    write_table(path, rows, PREDICTIONS, {**record, "model_set": "embedded", "config": {}, "code": "0", **about})
    return path
