"""Transformer-XL over one stream (Dai et al., ACL 2019, arXiv 1901.02860).

A segment attends to its own past and to the hidden states of the ``memory`` frames before it, layer by layer,
with positions relative to the frame that asks. Gradients do not flow into the memory. It is causal, and made for
streams: ``advance`` takes a segment and what is remembered, and gives its output and what to remember. A layer's
memory is the layer below, so that ``forward`` passes all segments of a window through a layer at once and gives
the same.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from waver.models.base import TemporalModel
from waver.models.temporal.blocks import around, blocks_of
from waver.models.temporal.settings import XlSettings

Memory = tuple[Tensor, ...]
"""What each layer saw last, float32 [B, up to ``memory``, C]."""


def encodings(count: int, size: int, device: torch.device) -> Tensor:
    """Sines and cosines of the distances count - 1, ..., 1, 0: float32 [count, size]."""
    distance = torch.arange(count - 1, -1, -1, device=device, dtype=torch.float32)
    frequency = 10_000 ** -(torch.arange(0, size, 2, device=device) / size)
    angle = distance.unsqueeze(1) * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def shifted(scores: Tensor) -> Tensor:
    """Scores by distance -> scores by key, without copying them out one by one (paper, appendix B).

    Args:
        scores: [..., S, K], of S queries; column c belongs to the distance K - 1 - c.

    Returns:
        [..., S, K]: row i, column j belongs to the distance of query i from key j, where the last of the K keys
        is that of the last query. Where the key comes after the query, it means nothing.
    """
    wide = nn.functional.pad(scores, (1, 0)).flatten(-2)
    return wide[..., scores.shape[-2] :].reshape(scores.shape)


class RelativeAttention(nn.Module):
    """Attention by content and by distance, with the two biases that stand for the query in all layers."""

    def __init__(self, settings: XlSettings) -> None:
        super().__init__()
        width, self.heads = settings.width, settings.heads
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.position = nn.Linear(width, width, bias=False)
        self.output = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, past: Tensor, biases: Tensor, allowed: Tensor) -> Tensor:
        """Segments look at what came before them and at themselves.

        Args:
            x: [B, N, S, C], N segments.
            past: [B, N, M, C], the frames before each.
            biases: [2, heads, 1, C / heads], u (content) and v (position).
            allowed: bool [N, 1, S, M + S], which keys a query may see.

        Returns:
            [B, N, S, C].
        """
        query = self._split(self.query(x))
        key, value = (self._split(part) for part in self.key_value(torch.cat([past, x], dim=2)).chunk(2, dim=-1))
        distances = encodings(key.shape[-2], x.shape[-1], x.device)
        position = self._split(self.position(distances))
        content = (query + biases[0]) @ key.transpose(-1, -2)
        scores = (content + shifted((query + biases[1]) @ position.transpose(-1, -2))) / query.shape[-1] ** 0.5
        mixed = scores.masked_fill(~allowed, -torch.inf).softmax(dim=-1) @ value
        return self.output(mixed.transpose(-2, -3).flatten(-2))  # type: ignore[no-any-return]

    def _split(self, x: Tensor) -> Tensor:
        """[..., S, C] -> [..., heads, S, C / heads]."""
        return x.reshape(*x.shape[:-1], self.heads, -1).transpose(-2, -3)


class Layer(nn.Module):
    """Attention and a feed-forward part, each followed by the residual sum and its LayerNorm."""

    def __init__(self, settings: XlSettings) -> None:
        super().__init__()
        width, hidden = settings.width, settings.hidden
        self.attention = RelativeAttention(settings)
        self.forward_part = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(settings.dropout), nn.Linear(hidden, width)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, x: Tensor, past: Tensor, biases: Tensor, allowed: Tensor) -> Tensor:
        """As ``RelativeAttention``; nothing is learned through ``past``."""
        x = self.norms[0](x + self.dropout(self.attention(x, past.detach(), biases, allowed)))
        return self.norms[1](x + self.dropout(self.forward_part(x)))  # type: ignore[no-any-return]


class Xl(TemporalModel):
    """Layers over segments that remember.

    Args:
        size: D of the input.
        settings: sizes, dropout, lengths of segment and memory.

    Attributes:
        size: C of the output.
    """

    UNDECAYED: ClassVar[tuple[str, ...]] = ("biases",)

    def __init__(self, size: int, settings: XlSettings) -> None:
        super().__init__()
        self.segment, self.memory = settings.segment, settings.memory
        self.enter = nn.Linear(size, settings.width)
        self.dropout = nn.Dropout(settings.dropout)
        self.layers = nn.ModuleList(Layer(settings) for _ in range(settings.layers))
        self.biases = nn.Parameter(torch.empty(2, settings.heads, 1, settings.width // settings.heads))
        nn.init.normal_(self.biases, std=0.02)
        self.size = settings.width

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Float32 [B, D, T] and bool [B, T], False on padding at the end -> [B, C, T], zeros on padding."""
        frames = x.shape[-1]
        hidden = blocks_of(self.dropout(self.enter(x.transpose(1, 2))), self.segment)
        starts = torch.arange(hidden.shape[1], device=x.device).unsqueeze(1) * self.segment
        remembered = starts + torch.arange(self.memory, device=x.device) >= self.memory
        allowed = self._allowed(remembered, self.segment)
        for layer in self.layers:
            past = around(hidden.flatten(1, 2), self.segment, self.memory, 0)[:, :, : self.memory]
            hidden = layer(hidden, past, self.biases, allowed)
        return hidden.flatten(1, 2)[:, :frames].transpose(1, 2) * mask.unsqueeze(1)

    def advance(self, x: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        """The next segment of a stream, of any length; segments of ``segment`` frames give what ``forward`` gives.

        Args:
            x: float32 [B, D, S].
            memory: what the segment before left; None at the beginning.

        Returns:
            [B, C, S] and what to give with the next segment.
        """
        hidden = self.dropout(self.enter(x.transpose(1, 2)))
        past = memory or tuple(hidden[:, :0] for _ in self.layers)
        allowed = self._allowed(torch.ones(1, past[0].shape[1], dtype=torch.bool, device=x.device), x.shape[-1])
        seen: list[Tensor] = []
        for layer, before in zip(self.layers, past, strict=True):
            seen.append(torch.cat([before, hidden], dim=1)[:, -self.memory :].detach())
            hidden = layer(hidden.unsqueeze(1), before.unsqueeze(1), self.biases, allowed).squeeze(1)
        return hidden.transpose(1, 2), tuple(seen)

    @staticmethod
    def _allowed(remembered: Tensor, segment: int) -> Tensor:
        """All that is remembered, bool [N, M], and the segment's own past: bool [N, 1, S, M + S]."""
        past = remembered.unsqueeze(1).expand(-1, segment, -1)
        own = torch.ones(segment, segment, dtype=torch.bool, device=past.device).tril()
        return torch.cat([past, own.expand(len(past), -1, -1)], dim=-1).unsqueeze(1)
