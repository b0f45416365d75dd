"""Several versions of the frames of a batch, for methods that compare predictions of augmented inputs.

The published methods turn, crop and recolour pictures. Packed features have no pictures: their versions are our
own, by what trainings of fusions vary (``input_dropout``, and ``noise`` of the conflict model). Pictures of faces are
mirrored, moved, and made lighter or darker, all frames of the batch alike.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from pydantic import Field
from torch import Tensor

from waver.adaptation.base import Frames
from waver.adaptation.methods.tta.norms import StreamConfig

_MOVED, _LIGHT = 0.05, 0.2
"""Largest move of a picture, a share of its side, and change of its brightness and contrast; ours, as no release varies
aligned faces."""


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
        frames: features float32 [B, D], Windows, or pictures uint8 [B, S, S, 3], which ``altered`` changes.
        config: strength.
        generator: of what is drawn.
    """
    if isinstance(frames, Tensor) and frames.dtype == torch.uint8:
        return altered(frames, generator)
    features: Tensor = frames if isinstance(frames, Tensor) else frames.features
    kept = torch.rand(features.shape[-1], generator=generator) >= config.input_dropout
    noise = config.noise * torch.randn(features.shape, generator=generator)
    changed = (features + noise * (features != 0)) * kept / (1 - config.input_dropout)
    return changed if isinstance(frames, Tensor) else replace(frames, features=changed)


def altered(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures uint8 [B, S, S, 3], mirrored or not, moved, with another brightness and contrast; edges are repeated."""
    mirror, down, right, light, contrast = (2 * torch.rand(5, generator=generator) - 1).tolist()
    side = pictures.shape[1]
    rows, columns = ((torch.arange(side) + round(move * _MOVED * side)).clamp(0, side - 1) for move in (down, right))
    moved = pictures[:, rows][:, :, columns].float()
    moved = moved.flip(2) if mirror > 0 else moved
    mean = moved.mean(dim=(1, 2, 3), keepdim=True)
    changed: Tensor = (moved - mean) * (1 + contrast * _LIGHT) + mean * (1 + light * _LIGHT)
    return changed.round().clamp(0, 255).to(torch.uint8)
