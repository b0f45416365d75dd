"""Changes to the streams of a training batch, so that few videos are not learned by heart."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import dropout1d


def with_dimensions_dropped(streams: Mapping[str, Tensor], rate: float) -> dict[str, Tensor]:
    """Streams that each miss a ``rate`` of their dimensions, others in every video; the rest is scaled up for it."""
    return {name: dropout1d(x.transpose(1, 2), rate, training=True).transpose(1, 2) for name, x in streams.items()}


def with_noise(streams: Mapping[str, Tensor], sd: float) -> dict[str, Tensor]:
    """Streams with normal noise; a frame without the modality (all zero) keeps none."""
    return {name: torch.where(x.any(-1, keepdim=True), x + sd * torch.randn_like(x), x) for name, x in streams.items()}


def with_gaps(streams: Mapping[str, Tensor], mask: Tensor, share: float) -> dict[str, Tensor]:
    """Streams that each miss one stretch of ``share`` of every video, drawn anew for each.

    Args:
        streams: float32 [B, T, D_m].
        mask: bool [B, T]; False on padding, which lies at the end.
        share: of the video's frames.
    """
    frames = mask.sum(1, keepdim=True)
    place = torch.arange(mask.shape[1], device=mask.device)
    found = {}
    for name, x in streams.items():
        start = torch.rand(len(mask), 1, device=mask.device) * (1 - share) * frames
        gap = (place >= start) & (place < start + share * frames)
        found[name] = x.masked_fill(gap[..., None], 0.0)
    return found


def with_absences(streams: Mapping[str, Tensor], kept: str, rate: float) -> dict[str, Tensor]:
    """Streams of which each but ``kept`` is missing from a video with probability ``rate``."""
    found = dict(streams)
    for name, x in streams.items():
        if name != kept:
            found[name] = x * (torch.rand(len(x), 1, 1, device=x.device) >= rate)
    return found
