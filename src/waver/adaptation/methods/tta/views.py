"""Several versions of the frames of a batch, for methods that compare predictions of augmented inputs.

The published methods turn, crop and recolour pictures. Packed features have no pictures: the versions here are our
own, by what trainings of fusions vary (``input_dropout``, and ``noise`` of the conflict model).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from pydantic import Field
from torch import Tensor

from waver.adaptation.base import Frames
from waver.adaptation.methods.tta.norms import StreamConfig


class ViewsConfig(StreamConfig):
    """Number and strength of the versions; the strength is ours, no paper varies features."""

    views: int = Field(32, ge=1, description="augmented versions of a batch")
    input_dropout: float = Field(
        0.2, ge=0, lt=1, description="share of input dimensions that a version lacks in all frames of the batch"
    )
    noise: float = Field(0.1, ge=0, description="standard deviation of noise on the z-scored input of a version")


def augmented(frames: Frames, config: ViewsConfig, generator: torch.Generator) -> Frames:
    """A version of a batch: dimensions dropped, the rest scaled up for it, and noise; what is zero stays zero.

    Args:
        frames: features float32 [B, D], or Windows.
        config: strength.
        generator: of what is drawn.
    """
    features: Tensor = frames if isinstance(frames, Tensor) else frames.features
    kept = torch.rand(features.shape[-1], generator=generator) >= config.input_dropout
    noise = config.noise * torch.randn(features.shape, generator=generator)
    changed = (features + noise * (features != 0)) * kept / (1 - config.input_dropout)
    return changed if isinstance(frames, Tensor) else replace(frames, features=changed)
