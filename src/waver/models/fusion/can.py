"""CAN: channel attention over the concatenated modalities (the papers' "concatenation").

The released model also allocates a 1x1 convolution (128 M values to 128) that its forward pass never
uses. ``variant: released`` keeps it, for the published parameter counts; the logits are the same.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from waver.models.base import FusionModel
from waver.models.temporal.norm import MaskedBatchNorm
from waver.models.temporal.settings import TemporalSettings
from waver.models.temporal.stream import temporal_streams


class CanConfig(TemporalSettings):
    """Sizes; the defaults are the papers'."""

    size: int = Field(128, ge=1, description="channels that each modality adds to the concatenation")
    variant: Literal["corrected", "released"] = Field(
        "corrected", description="released: with the convolution that is allocated and never used"
    )


class Can(FusionModel):
    """Channel attention network."""

    Config: ClassVar[type[Any]] = CanConfig
    whole_video: ClassVar[bool] = True

    def __init__(self, dims: dict[str, int], config: CanConfig) -> None:
        super().__init__()
        streams = temporal_streams(dims, config)
        self.streams = nn.ModuleDict(streams)
        width = len(dims) * config.size
        self.projections = nn.ModuleDict(
            {name: nn.Linear(stream.size, config.size) for name, stream in streams.items()}
        )
        self.attention = nn.Linear(width, width)
        self.hidden = nn.Linear(width, width)
        self.norm = MaskedBatchNorm(width)
        self.classifier = nn.Linear(width, 2)
        if config.variant == "released":
            self.unused = nn.Conv1d(width, config.size, 1)

    def gate(self, concatenated: Tensor) -> Tensor:
        """Weights of the channels, float32 [B, T, C]; they sum to 1 at every frame."""
        return self.attention(concatenated).softmax(dim=-1)  # type: ignore[no-any-return]

    def concatenate(self, streams: dict[str, Tensor], mask: Tensor) -> Tensor:
        """Projected streams side by side, float32 [B, T, C]."""
        parts = [self.projections[name](stream(streams[name], mask)) for name, stream in self.streams.items()]
        return torch.cat(parts, dim=-1)

    def forward(self, streams: dict[str, Tensor], mask: Tensor) -> Tensor:
        """Logits [B, T, 2] of streams [B, T, D_m]; mask [B, T] is False on padding."""
        concatenated = self.concatenate(streams, mask)
        attended = self.gate(concatenated) * concatenated
        hidden = nn.functional.leaky_relu(self.norm(self.hidden(attended), mask), 0.01)
        return self.classifier(hidden)  # type: ignore[no-any-return]
