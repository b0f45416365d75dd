"""How the conflict model weighs its evidence around an anchor, and reads it in context."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

UNKNOWN = 0.5
"""Start of a gate of which the annotators say nothing: half open."""


def start_of(shares: Mapping[str, float], first: str, second: str) -> float:
    """Where the gate of two modalities starts: their share of the annotators' inconsistencies, if that is known."""
    return shares.get("+".join(sorted((first, second))), UNKNOWN)


class Gate(nn.Module):
    """Weight in (0, 1) of one item of evidence at each step, seen from the anchor.

    Args:
        size: of anchor and item.
        start: probability near which the gate starts, at 0 and 1 too; its logit is clipped to [-3, 3].
    """

    def __init__(self, size: int, start: float = UNKNOWN) -> None:
        super().__init__()
        self.first = nn.Linear(2 * size, 32)
        self.second = nn.Linear(32, 1)
        start = min(max(start, 1e-6), 1 - 1e-6)
        nn.init.constant_(self.second.bias, min(max(math.log(start / (1 - start)), -3.0), 3.0))

    def forward(self, anchor: Tensor, item: Tensor) -> Tensor:
        """float32 [B, S, size] twice -> [B, S, 1]."""
        return self.second(gelu(self.first(torch.cat([anchor, item], -1)))).float().sigmoid()  # type: ignore[no-any-return]


def positions(steps: int, size: int, device: torch.device) -> Tensor:
    """Sines and cosines of the step's number, float32 [S, size] (Vaswani et al. 2017)."""
    rate = torch.exp(torch.arange(0, size, 2, device=device) * (-math.log(1e4) / size))
    angle = torch.arange(steps, device=device)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)[:, :size]


class ContextLayer(nn.Module):
    """Transformer layer, norm first: attention over the steps of one video, then a network of each step."""

    def __init__(self, size: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_step = nn.LayerNorm(size), nn.LayerNorm(size)
        self.project, self.output = nn.Linear(size, 3 * size), nn.Linear(size, size)
        self.wide, self.narrow = nn.Linear(size, 2 * size), nn.Linear(2 * size, size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, allowed: Tensor) -> Tensor:
        """float32 [B, S, size]; ``allowed`` bool [B, 1, 1 or S, S]: steps (last axis) that a step may look at."""
        projected = self.project(self.norm_attention(x)).unflatten(-1, (3, self.heads, -1))
        query, key, value = projected.permute(2, 0, 3, 1, 4)
        rate = self.dropout.p if self.training else 0.0
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=allowed, dropout_p=rate)
        x = x + self.dropout(self.output(mixed.transpose(1, 2).flatten(2)))
        hidden = self.dropout(gelu(self.wide(self.norm_step(x))))
        return x + self.dropout(self.narrow(hidden))  # type: ignore[no-any-return]


class Context(nn.Module):
    """Transformer layers over a video, positions added before the first, a norm after the last."""

    def __init__(self, size: int, heads: int, layers: int, dropout: float, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        self.layers = nn.ModuleList(ContextLayer(size, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(size)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """float32 [B, S, size] and bool [B, S] -> [B, S, size]."""
        steps = x.shape[1]
        allowed = mask[:, None, None, :]
        if self.causal:
            allowed = allowed & torch.ones(steps, steps, dtype=torch.bool, device=x.device).tril()
        x = x + positions(steps, x.shape[2], x.device)
        for layer in self.layers:
            x = layer(x, allowed)
        return self.norm(x)  # type: ignore[no-any-return]


class ContextInput(nn.Module):
    """What is known without looking at anybody, step by step: a small network of each step.

    Args:
        size: D of the input.
        channels: sizes of the layers.
        out: size of the output.
    """

    def __init__(self, size: int, channels: tuple[int, ...], out: int) -> None:
        super().__init__()
        sizes = [size, *channels, out]
        self.layers = nn.ModuleList(nn.Linear(sizes[i], sizes[i + 1]) for i in range(len(sizes) - 1))

    def forward(self, x: Tensor) -> Tensor:
        """float32 [B, S, D] -> [B, S, out]."""
        for layer in self.layers[:-1]:
            x = gelu(layer(x))
        return self.layers[-1](x)  # type: ignore[no-any-return]
