"""Which measurement a trained model needs; loads nothing before it is known."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path

VIDEOS = "videos/"
"""Beginning of the names of video-level models below ``results/<run>/train``."""


def measured_by(trained: str) -> str:
    """The module whose ``measure`` measures the model ``<fusion>/<modalities>`` or ``videos/<model>/<modalities>``."""
    return "waver.training.video_cost" if trained.startswith(VIDEOS) else "waver.training.cost"


def method_of(trained: str) -> str:
    """Its method: fusion (with its variant) or video-level model."""
    return trained.removeprefix(VIDEOS).split("/")[0]


def measure(
    trained: str, models: Sequence[Path], histories: Sequence[Path], weights: Mapping[str, Path], output: Path
) -> None:
    """Measure a trained model and write its costs as JSON (rule ``train_cost``).

    Args:
        trained: ``<fusion>/<modalities>``, or ``videos/<model>/<modalities>``.
        models: ``model.pt`` of every seed; the first is measured, for all have one architecture.
        histories: ``history.jsonl`` of every seed.
        weights: role -> ``asset.json`` of what a video-level model is built on, or began with.
        output: JSON file to write (``waver.training.cost_record``).

    Raises:
        WaverError: the model is not of this version.
    """
    module = importlib.import_module(measured_by(trained))
    module.measure(method_of(trained), models, histories, weights, output)
