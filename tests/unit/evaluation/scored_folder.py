"""A small data set after ``align``, and predictions made to order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from waver.align.packs import read_packs
from waver.datasets.folds import folds_of
from waver.evaluation.control_names import Control
from waver.io.tables import PACK_INDEX, PREDICTIONS, read_tables, write_table

FOLDS = 3

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Folder:
    """Files of the data set."""

    path: Path
    indexes: list[Path]
    packs: Path
    participants: Path
    answers: Path
    controls: dict[Control, Path]

    def rows(self, *splits: str) -> Rows:
        return [row for row in read_tables(self.indexes, PACK_INDEX) if row["split"] in splits]

    def folds(self) -> dict[str, int]:
        """Fold of each participant of train and val."""
        return folds_of([row["participant"] for row in self.rows("train", "val")], FOLDS)

    def labels(self) -> dict[str, np.ndarray]:
        return {video.video: video.arrays["label"] for video in read_packs(self.indexes, self.packs, ("label",))}


def prediction_rows(
    rows: Rows, guess: Callable[[dict[str, Any]], np.ndarray], fold_of: Mapping[str, int] | None = None
) -> Rows:
    """Frame-level predictions: ``guess`` gives the probabilities of a video's frames."""
    return [
        {
            "video": row["video"],
            "participant": row["participant"],
            "split": row["split"],
            "frame": frame,
            "probability": float(probability),
            "margin": 0.0,
            "fold": fold_of[row["participant"]] if fold_of else None,
        }
        for row in rows
        for frame, probability in enumerate(guess(row))
    ]


def write_predictions(path: Path, rows: Rows, method: str, **about: Any) -> Path:
    record = {"method": method, "modalities": "V", "level": "frame", "protocol": "standard", "seed": 0}
    write_table(path, rows, PREDICTIONS, {**record, "model_set": "embedded", "config": {}, "code": "0", **about})
    return path


def seeded_guess(folder: Folder, skill: float, seed: int) -> Callable[[dict[str, Any]], np.ndarray]:
    """Probabilities that hold ``skill`` times the label, for ``prediction_rows``."""
    labels, rng = folder.labels(), np.random.default_rng(seed)

    def guess(row: dict[str, Any]) -> np.ndarray:
        label = labels[row["video"]]
        return 1 / (1 + np.exp(-(skill * (label - 0.5) + rng.normal(size=len(label)))))

    return guess


def pick(rows: Rows, **wanted: Any) -> Rows:
    """Rows with these values."""
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def one(rows: Rows, **wanted: Any) -> dict[str, Any]:
    """The only row of everybody with these values, of protocol standard if nothing else is said."""
    (row,) = pick(rows, **{"group": "all", "protocol": "standard", **wanted})
    return row
