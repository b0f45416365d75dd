"""LFAN: leader-follower attention across modalities (Zhang et al., CVPRW 2023, arXiv 2203.13031).

The 2026 paper calls it co-attention. Each modality has its own temporal context; at every frame, and within that
frame only, the modalities attend to one another; the first modality (the leader) is handed to the
classifier beside the result. The papers' unimodal models are this model with one modality.
The released code computes exactly this; there is no other variant to choose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from waver.models.base import FusionModel
from waver.models.temporal.settings import TemporalSettings
from waver.models.temporal.stream import temporal_streams


class LfanConfig(TemporalSettings):
    """Sizes and dropout; the defaults are the papers'. ``dropout`` is also that of the fusion."""

    CHANNELS: ClassVar[Mapping[str, tuple[int, ...]]] = {
        "visual": (256, 256, 128, 128),
        "audio": (64, 64, 32, 32),
        "cues": (64, 64, 32, 32),
    }

    dropout: float = Field(0.1, ge=0, lt=1, description="dropout of TCN and fusion")
    heads: int = Field(2, ge=1, description="attention heads")
    head_size: int = Field(16, ge=1, description="size of query, key and value of a head")


class ModalityAttention(nn.Module):
    """Multi-head attention among the modalities of one frame.

    Args:
        sizes: C of each modality's stream.
        heads: attention heads.
        head_size: E, size of a head's query, key and value.
        dropout: probability of dropping a value of the result.
    """

    def __init__(self, sizes: list[int], heads: int, head_size: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.head_size = heads, head_size
        width = len(sizes) * heads * head_size
        self.projections = nn.ModuleList(nn.Linear(size, 3 * heads * head_size) for size in sizes)
        self.output = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width)
        for linear in (*self.projections, self.output):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def weights(self, hidden: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Attention [B, T, heads, M, M] (rows: queries) and values [B, T, heads, M, E]."""
        projected = [
            linear(h).unflatten(-1, (self.heads, 3 * self.head_size))
            for linear, h in zip(self.projections, hidden, strict=True)
        ]
        query, key, value = torch.stack(projected, dim=-2).chunk(3, dim=-1)
        scores = query @ key.transpose(-1, -2) / self.head_size**0.5
        return scores.softmax(dim=-1), value

    def forward(self, hidden: list[Tensor]) -> Tensor:
        """M streams float32 [B, T, C_m] -> [B, T, M * heads * E]."""
        attention, value = self.weights(hidden)
        mixed = attention @ value + value
        return self.norm(self.dropout(self.output(mixed.flatten(-3))))  # type: ignore[no-any-return]


class Lfan(FusionModel):
    """Leader-follower attention network."""

    Config: ClassVar[type[Any]] = LfanConfig
    whole_video: ClassVar[bool] = False

    def __init__(self, dims: dict[str, int], config: LfanConfig) -> None:
        super().__init__()
        streams = temporal_streams(dims, config)
        self.streams = nn.ModuleDict(streams)
        sizes = [stream.size for stream in streams.values()]
        self.attention = ModalityAttention(sizes, config.heads, config.head_size, config.dropout)
        self.classifier = nn.Linear(sizes[0] + len(sizes) * config.heads * config.head_size, 2)

    def forward(self, streams: dict[str, Tensor], mask: Tensor) -> Tensor:
        """Logits [B, T, 2] of streams [B, T, D_m]; mask [B, T] is False on padding."""
        hidden = [stream(streams[name], mask) for name, stream in self.streams.items()]
        return self.classifier(torch.cat([hidden[0], self.attention(hidden)], dim=-1))  # type: ignore[no-any-return]
