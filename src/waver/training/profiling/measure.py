"""Which measurement a trained model needs; loads nothing before it is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from waver.records import load
from waver.registry import MEASUREMENTS


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
        output: JSON file to write (``waver.training.profiling.record``).

    Raises:
        WaverError: the model is not of this version.
    """
    load(MEASUREMENTS, unit)(record, models, histories, weights, output)
