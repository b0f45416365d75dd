"""Records of models of frames, as the config's variants make them."""

from __future__ import annotations

import json
from typing import Any

from waver.training.trained_model import TrainedModel


def recorded(fusion: str, modalities: str, variant: str = "", base: str = "", /, **changed: Any) -> TrainedModel:
    """A model and what its variant changes; ``base`` are the modalities without it, where they are others."""
    method = f"{fusion}.{variant}" if variant else fusion
    window = changed.get("window", 696)
    return TrainedModel(method, modalities, fusion, variant, base or modalities, window, json.dumps(changed))


def widened(fusion: str, modalities: str, window: int) -> TrainedModel:
    """A model with a length of the window from the window ablation."""
    return recorded(fusion, modalities, f"w{window}", window=window)
