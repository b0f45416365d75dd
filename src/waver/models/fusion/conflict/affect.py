"""Level 1 of the conflict model: affect of one modality, which sees no other modality (2026 paper, section 7).

A step is the mean of a few frames. S counts steps, C is the size of a modality's hidden state.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, pad

from waver.shapes import AFFECT


def pooled(x: Tensor, seen: Tensor, frames: int) -> Tensor:
    """Mean over the seen ones of every ``frames`` frames.

    Args:
        x: float32 [B, T, D]; what it holds on unseen frames counts for nothing.
        seen: bool [B, T].
        frames: frames of a step; what is left at the end is one more step.

    Returns:
        float32 [B, S, D], zeros where no frame of a step is seen.
    """
    held = _in_steps(x.masked_fill(~seen[..., None], 0.0), frames).sum(2)
    count = _in_steps(seen[..., None].to(x.dtype), frames).sum(2)
    return held / count.clamp(min=1)


def steps_of(mask: Tensor, frames: int) -> Tensor:
    """Steps that hold at least one frame, bool [B, S], of bool [B, T]."""
    return _in_steps(mask[..., None], frames).any(2)[..., 0]


def pooled_targets(target: Tensor, mask: Tensor, frames: int) -> Tensor:
    """Mean of the known targets of every ``frames`` frames, each column by itself.

    Args:
        target: float32 [B, T, 3], nan where nothing is known.
        mask: bool [B, T]; False on padding.
        frames: frames of a step.

    Returns:
        float32 [B, S, 3], nan where no frame of a step has one.
    """
    columns = []
    for column in target.unbind(-1):
        known = mask & column.isfinite()
        mean = pooled(column[..., None], known, frames)[..., 0]
        columns.append(mean.masked_fill(~steps_of(known, frames), torch.nan))
    return torch.stack(columns, -1)


def _in_steps(x: Tensor, frames: int) -> Tensor:
    """[B, T, D] as [B, S, frames, D], filled up with zeros."""
    x = pad(x, (0, 0, 0, -x.shape[1] % frames))
    return x.reshape(x.shape[0], -1, frames, x.shape[2])


def baseline(x: Tensor, seen: Tensor, causal: bool) -> Tensor:
    """What is usual for this person: mean over the seen steps, all or those so far; [B, 1 or S, D]."""
    total, count = (x * seen[..., None]), seen.to(x.dtype)[..., None]
    if causal:
        return total.cumsum(1) / count.cumsum(1).clamp(min=1)
    return total.sum(1, keepdim=True) / count.sum(1, keepdim=True).clamp(min=1)


class Block(nn.Module):
    """Residual: norm, dilated convolution of each channel alone, GELU, mix of the channels, dropout."""

    def __init__(self, size_in: int, size_out: int, kernel: int, dilation: int, dropout: float, causal: bool) -> None:
        super().__init__()
        reach = (kernel - 1) * dilation
        self.padding = (reach, 0) if causal else (reach - reach // 2, reach // 2)
        self.norm = nn.LayerNorm(size_in)
        self.depthwise = nn.Conv1d(size_in, size_in, kernel, dilation=dilation, groups=size_in)
        self.mix = nn.Linear(size_in, size_out)
        self.dropout = nn.Dropout(dropout)
        self.residual = nn.Linear(size_in, size_out) if size_in != size_out else None

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """float32 [B, S, C_in] and bool [B, S] -> [B, S, C_out]."""
        branch = (self.norm(x) * mask[..., None]).transpose(1, 2)
        branch = gelu(self.depthwise(pad(branch, self.padding))).transpose(1, 2)
        branch = self.dropout(self.mix(branch))
        return branch + (x if self.residual is None else self.residual(x))  # type: ignore[no-any-return]


class AffectEncoder(nn.Module):
    """Hidden state and affect of one modality.

    A step is described by itself and by how far it lies from what is usual in this video, since the cues of
    the annotators are changes from a person's own manner (dataset paper, annotation).

    Args:
        size: D of the input.
        channels: output size of each block; block i has dilation 2^i.
        kernel: taps of a convolution.
        dropout: of the blocks; half as much again after the input's projection.
        causal: a step sees its past only.
        norm: normalise each step over its dimensions first.
    """

    def __init__(
        self, size: int, channels: Sequence[int], kernel: int, dropout: float, causal: bool, norm: bool
    ) -> None:
        super().__init__()
        sizes = [channels[0], *channels]
        self.causal, self.size = causal, channels[-1]
        self.norm_in = nn.LayerNorm(size) if norm else nn.Identity()
        self.project = nn.Linear(2 * size, channels[0])
        self.dropout = nn.Dropout(min(1.5 * dropout, 0.9))
        self.blocks = nn.ModuleList(
            Block(sizes[i], sizes[i + 1], kernel, 2**i, dropout, causal) for i in range(len(channels))
        )
        self.norm_out = nn.LayerNorm(self.size)
        self.affect = nn.Linear(self.size, len(AFFECT))

    def forward(self, x: Tensor, seen: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden state [B, S, C] and affect [B, S, 3] of steps.

        Args:
            x: float32 [B, S, D], zeros where the modality is missing.
            seen: bool [B, S]; False where it is missing (no face, nobody speaks).
            mask: bool [B, S]; False on padding.
        """
        x = self.norm_in(x) * seen[..., None]
        # a step without the modality is nothing, not a departure from what is usual
        change = (x - baseline(x, seen, self.causal)) * seen[..., None]
        hidden = self.dropout(gelu(self.project(torch.cat([x, change], -1))))
        for block in self.blocks:
            hidden = block(hidden, mask)
        hidden = self.norm_out(hidden)
        return hidden, self.affect(hidden).float().sigmoid()
