"""Weights of the classes in the loss over frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from waver.errors import WaverError
from waver.training.corpus import VideoSample


def class_weights(samples: Sequence[VideoSample]) -> Tensor:
    """Inverse frequency of the classes over frames, float32 [2]; equal classes weigh 1.

    Raises:
        WaverError: one class has no frame.
    """
    counts = np.bincount(np.concatenate([sample.label for sample in samples]), minlength=2)
    if not counts.all():
        raise WaverError("the train split lacks frames of one class; set train.class_weight to false or add videos")
    return torch.tensor(counts.sum() / (2 * counts), dtype=torch.float32)
