"""Losses over frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from waver.errors import WaverError
from waver.training.corpus import VideoSample


def frame_cross_entropy(logits: Tensor, label: Tensor, mask: Tensor, weight: Tensor | None = None) -> Tensor:
    """Cross entropy, mean over the frames that are not padding.

    Args:
        logits: [B, T, 2].
        label: int64 [B, T].
        mask: bool [B, T]; False on padding.
        weight: float32 [2], weight of each class; the mean is then a weighted one.
    """
    return nn.functional.cross_entropy(logits[mask].float(), label[mask], weight)


def class_weights(samples: Sequence[VideoSample]) -> Tensor:
    """Inverse frequency of the classes over frames, float32 [2]; equal classes weigh 1.

    Raises:
        WaverError: one class has no frame.
    """
    counts = np.bincount(np.concatenate([sample.label for sample in samples]), minlength=2)
    if not counts.all():
        raise WaverError("the train split lacks frames of one class; set train.class_weight to false or add videos")
    return torch.tensor(counts.sum() / (2 * counts), dtype=torch.float32)
