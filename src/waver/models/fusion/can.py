"""CAN: channel attention over the concatenated modalities (the papers' "concatenation").

The released model also allocates a 1x1 convolution (128 M values to 128) that its forward pass never
uses; it is left out here, which is the only difference in parameter count.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from waver.config.sections import Section
from waver.models.temporal.tcn import MaskedBatchNorm, over_defaults, temporal_streams

_CHANNELS = {"visual": (256, 256, 128, 128, 128), "audio": (128, 128, 64, 64), "text": (256, 256, 128, 128)}


class CanConfig(Section):
    """Sizes and dropout; the defaults are the papers'."""

    channels: dict[str, tuple[int, ...]] = Field(
        _CHANNELS, validate_default=True, description="modality -> channels of its TCN's blocks"
    )
    kernel: int = Field(5, ge=2, description="taps of a convolution")
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout of the TCN")
    size: int = Field(128, ge=1, description="channels that each modality adds to the concatenation")
    input_dropout: float = Field(
        0.0, ge=0, lt=1, description="dropout of whole input dimensions; against learning few videos by heart"
    )
    causal: bool = Field(True, description="a frame sees its past only, as in the papers")

    @field_validator("channels", mode="before")
    @classmethod
    def _over_defaults(cls, given: object) -> object:
        return over_defaults(_CHANNELS, given)


class Can(nn.Module):
    """Channel attention network; see ``waver.models.contracts.Fusion``."""

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
