"""ASFormer: transformer for action segmentation over one stream (Yi et al., BMVC 2021, arXiv 2110.08568).

An encoder and decoders, each of blocks with a dilated convolution and attention within a window that doubles
from block to block. As in ``mstcn``, a stage's classes are latent values, a decoder takes the softmax of the
classes before it, and the outputs of all stages go on side by side.

The details that the paper leaves open are those of its release (queries, keys and values half as wide, ReLU
before the output of the attention, a decoder's values from the features of the stage before it), with the
correction that its authors recommend: a frame sees the window around itself, not the whole block it falls in.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from waver.models.base import TemporalModel
from waver.models.temporal.blocks import around, blocks_of
from waver.models.temporal.settings import AsFormerSettings

QUERIES = 64
"""Frames that attend together; their scores take QUERIES + window - 1 values a frame."""
_EPSILON = 1e-5


def instance_norm(x: Tensor, keep: Tensor) -> Tensor:
    """Each channel of each sequence to mean 0 and variance 1 over the frames that are not padding.

    Args:
        x: [B, C, T].
        keep: float32 [B, 1, T], 0 on padding.

    Returns:
        float32 [B, C, T], zeros on padding.
    """
    x, frames = x.float(), keep.sum(dim=-1, keepdim=True).clamp(min=1)
    centred = (x - (x * keep).sum(dim=-1, keepdim=True) / frames) * keep
    return centred * (centred.square().sum(dim=-1, keepdim=True) / frames + _EPSILON).rsqrt()


class WindowAttention(nn.Module):
    """Attention of one head to the ``window`` frames from window // 2 before a frame.

    The window of the first block is the frame alone, whose softmax is 1: its query and key never learn, and are
    there as in the release.

    Args:
        width: C of input and output.
        inner: size of query, key and value.
        window: frames.
    """

    def __init__(self, width: int, inner: int, window: int) -> None:
        super().__init__()
        self.window, self.before = window, window // 2
        self.query, self.key, self.value = (nn.Linear(width, inner) for _ in range(3))
        self.output = nn.Linear(inner, width)

    def forward(self, x: Tensor, source: Tensor, mask: Tensor) -> Tensor:
        """Queries and keys of ``x``, values of ``source``, both [B, C, T], and bool [B, T] -> [B, C, T]."""
        x, source = x.transpose(1, 2), source.transpose(1, 2)
        reach = (self.before, self.window - 1 - self.before)
        query = blocks_of(self.query(x), QUERIES)
        key, value = (around(part, QUERIES, *reach) for part in (self.key(x), self.value(source)))
        allowed = self._allowed(around(mask.unsqueeze(-1), QUERIES, *reach).squeeze(-1))
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        return self.output(mixed.flatten(1, 2)[:, : x.shape[1]].relu()).transpose(1, 2)  # type: ignore[no-any-return]

    def _allowed(self, there: Tensor) -> Tensor:
        """Keys that are frames, bool [B, N, K] -> what each query may see, bool [B, N, QUERIES, K]."""
        keys = torch.arange(there.shape[-1], device=there.device)
        offset = keys - torch.arange(QUERIES, device=there.device).unsqueeze(1)
        within = (offset >= 0) & (offset < self.window)
        # padding sees itself: the softmax of nothing is no number
        return within & there.unsqueeze(2) | (offset == self.before)


class Block(nn.Module):
    """Dilated convolution of 3 taps, ReLU, attention beside it, 1x1 convolution, dropout, beside the identity."""

    def __init__(self, settings: AsFormerSettings, level: int, weight: float) -> None:
        super().__init__()
        width, reach = settings.width, 2**level
        self.dilated = nn.Conv1d(width, width, 3, padding=reach, dilation=reach)
        self.attention = WindowAttention(width, max(1, width // settings.reduction), reach)
        self.mix = nn.Conv1d(width, width, 1)
        self.dropout = nn.Dropout(settings.dropout)
        self.weight = weight

    def forward(self, x: Tensor, source: Tensor | None, mask: Tensor, keep: Tensor) -> Tensor:
        """Float32 [B, C, T] -> [B, C, T]; the values come from ``source``, or from ``x`` itself."""
        hidden = self.dilated(x).relu()
        normed = instance_norm(hidden, keep)
        attended = self.attention(normed, normed if source is None else source, mask)
        return (x + self.dropout(self.mix(self.weight * attended + hidden))) * keep  # type: ignore[no-any-return]


class Stage(nn.Module):
    """Encoder or decoder: blocks of dilation and window 1, 2, 4, ..., whose attention counts ``weight``."""

    def __init__(self, size: int, settings: AsFormerSettings, weight: float) -> None:
        super().__init__()
        self.enter = nn.Conv1d(size, settings.width, 1)
        self.blocks = nn.ModuleList(Block(settings, level, weight) for level in range(settings.layers))
        self.classify = nn.Conv1d(settings.width, settings.classes, 1)

    def forward(self, x: Tensor, source: Tensor | None, mask: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
        """Float32 [B, D, T] and the features of the stage before -> [B, classes, T] and features [B, C, T]."""
        hidden = self.enter(x) * keep
        for block in self.blocks:
            hidden = block(hidden, source, mask, keep)
        return self.classify(hidden) * keep, hidden


class AsFormer(TemporalModel):
    """Encoder, and decoders with cross-attention to the features of the stage before.

    Args:
        size: D of the input.
        settings: sizes and dropout.

    Attributes:
        size: C of the output, (1 + decoders) * classes.
    """

    def __init__(self, size: int, settings: AsFormerSettings) -> None:
        super().__init__()
        self.encoder = Stage(size, settings, 1.0)
        weights = [math.exp(-settings.decay * decoder) for decoder in range(settings.decoders)]
        self.decoders = nn.ModuleList(Stage(settings.classes, settings, weight) for weight in weights)
        self.size = (1 + settings.decoders) * settings.classes

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Float32 [B, D, T] and bool [B, T] -> [B, C, T], stage after stage, zeros on padding."""
        keep = mask.unsqueeze(1).to(x.dtype)
        classes, features = self.encoder(x * keep, None, mask, keep)
        outputs = [classes]
        for decoder in self.decoders:
            classes, features = decoder(classes.softmax(dim=1) * keep, features, mask, keep)
            outputs.append(classes)
        return torch.cat(outputs, dim=1)
