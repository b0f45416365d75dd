"""Which measurement a trained model needs; loads nothing before it is known."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

MEASURED_BY = {"window": "waver.training.cost", "video": "waver.training.video_cost"}
"""What a model is passed at once -> the module whose ``measure`` measures it."""


def measure(
    unit: str,
    record: Mapping[str, Any],
    models: Sequence[Path],
    histories: Sequence[Path],
    weights: Mapping[str, Path],
    output: Path,
) -> None:
    """Measure a trained model and write its costs as JSON (rule ``train_cost``).

    Args:
        unit: window: a model of frames; video: a video-level model.
        record: its method and modalities, and of a model of frames the rest of ``TrainedModel.record``.
        models: ``model.pt`` of every seed; the first is measured, for all have one architecture.
        histories: ``history.jsonl`` of every seed.
        weights: role -> ``asset.json`` of what a video-level model is built on, or began with.
        output: JSON file to write (``waver.training.cost_record``).

    Raises:
        WaverError: the model is not of this version.
    """
    importlib.import_module(MEASURED_BY[unit]).measure(record, models, histories, weights, output)
