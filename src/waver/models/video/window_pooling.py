"""Windows of a video: equal segments, a window in each, and the mean of what is seen in them."""

from __future__ import annotations

import torch
from torch import Tensor


def window_mask(length: Tensor, steps: int, window: int, count: int, random: bool) -> Tensor:
    """Which steps each window sees, bool [B, count, steps].

    A video has as many windows as fit into it side by side, at most ``count`` and at least one; the rest see
    nothing. Each lies in a segment of its own.

    Args:
        length: int64 [B], steps of each video.
        steps: S, steps of the longest.
        window: steps of a window; a shorter video is one window.
        count: most windows.
        random: at a random place in its segment; else in the middle.
    """
    own = (length // window).clamp(1, count)[:, None]
    number = torch.arange(count, device=length.device)[None]
    first, end = (number * length[:, None] // own, (number + 1) * length[:, None] // own)
    room = (end - first - window).clamp(min=0)
    if random:
        draw = torch.rand(len(length), count).to(length.device)
        start = first + (draw * (room + 1)).long().clamp(max=room)
    else:
        start = first + room // 2
    step = torch.arange(steps, device=length.device)[None, None]
    inside = (step >= start[..., None]) & (step < start[..., None] + window) & (step < length[:, None, None])
    return inside & (number < own)[..., None]


def pool_windows(hidden: Tensor, score: Tensor, seen: Tensor) -> Tensor:
    """Softmax mean of the steps of each window, then the mean over windows that see a step; [B, D].

    Args:
        hidden: [B, S, D].
        score: [B, S], of each step.
        seen: bool [B, W, S]; a video of which no window sees anything gets zeros.
    """
    exact = torch.promote_types(score.dtype, torch.float32)
    weight = score[:, None].to(exact).masked_fill(~seen, -1e4).softmax(-1) * seen
    there = seen.any(-1)
    pooled = weight.to(hidden.dtype) @ hidden
    return pooled.sum(1) / there.sum(1, keepdim=True).clamp(min=1)
