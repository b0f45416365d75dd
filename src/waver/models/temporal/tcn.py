"""Temporal convolutional network over one stream of frame features.

Bai et al., arXiv 1803.01271, in the form that Zhang et al. (CVPRW 2023) gave it for affect and the
dataset paper took over: weight-normalised convolutions, LeakyReLU, no other normalisation inside.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from waver.models.base import TemporalModel

_SLOPE = 0.01


def receptive_field(levels: int, kernel: int) -> int:
    """Input frames that one output frame depends on."""
    return 1 + 2 * (kernel - 1) * ((1 << levels) - 1)


class Convolution(nn.Module):
    """Weight-normalised dilated convolution that keeps the length, LeakyReLU, dropout."""

    def __init__(self, size_in: int, size_out: int, kernel: int, dilation: int, dropout: float, causal: bool) -> None:
        super().__init__()
        # the papers' Xavier initialisation is undone by their weight norm: torch's default is what ran
        self.convolution = weight_norm(nn.Conv1d(size_in, size_out, kernel, dilation=dilation))
        reach = (kernel - 1) * dilation
        self.padding = (reach, 0) if causal else (reach - reach // 2, reach // 2)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """float32 [B, C_in, T] -> [B, C_out, T]."""
        y = self.convolution(nn.functional.pad(x, self.padding))
        return self.dropout(nn.functional.leaky_relu(y, _SLOPE))  # type: ignore[no-any-return]


class Block(nn.Module):
    """Two convolutions of one dilation beside a residual path."""

    def __init__(self, size_in: int, size_out: int, kernel: int, dilation: int, dropout: float, causal: bool) -> None:
        super().__init__()
        self.first = Convolution(size_in, size_out, kernel, dilation, dropout, causal)
        self.second = Convolution(size_out, size_out, kernel, dilation, dropout, causal)
        self.residual = nn.Conv1d(size_in, size_out, 1) if size_in != size_out else None
        if self.residual is not None:
            nn.init.xavier_uniform_(self.residual.weight, gain=math.sqrt(2))

    def forward(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """float32 [B, C_in, T] -> [B, C_out, T]; ``keep`` [B, 1, T] zeroes padding between layers."""
        branch = self.first(x)
        branch = self.second(branch if keep is None else branch * keep)
        y = nn.functional.leaky_relu(branch + (x if self.residual is None else self.residual(x)), _SLOPE)
        return y if keep is None else y * keep


class Tcn(TemporalModel):
    """Blocks of dilation 1, 2, 4, ...; the receptive field is ``receptive_field(len(channels), kernel)``.

    Args:
        size: D of the input.
        channels: output size of each block.
        kernel: taps of a convolution.
        dropout: probability of dropping a value after each convolution.
        causal: frame t depends on frames up to t only, as in the papers; otherwise on both sides.

    Attributes:
        size: C of the output, that of the last block.
    """

    def __init__(self, size: int, channels: Sequence[int], kernel: int, dropout: float, causal: bool) -> None:
        super().__init__()
        sizes = [size, *channels]
        self.causal = causal
        self.size = sizes[-1]
        self.blocks = nn.ModuleList(
            Block(sizes[level], sizes[level + 1], kernel, 2**level, dropout, causal) for level in range(len(channels))
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Float32 [B, D, T] and bool [B, T] -> [B, C_last, T]."""
        # padding lies at the end of a sequence: a causal network cannot look there
        keep = None if self.causal else mask.unsqueeze(1).to(x.dtype)
        x = x if keep is None else x * keep
        for block in self.blocks:
            x = block(x, keep)
        return x
