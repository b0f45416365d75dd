"""MT: multimodal transformer, attention from every modality to every other (Waligora et al., CVPRW 2024).

Streams, sizes, and the two variants are described in ``waver.models.fusion.cross_modal``.
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from waver.models.base import FusionModel
from waver.models.fusion.cross_modal import CrossModal, CrossModalConfig, FrameHead, used_modalities
from waver.models.temporal.stream import temporal_streams


class Mt(FusionModel):
    """Multimodal transformer."""

    Config: ClassVar[type[Any]] = CrossModalConfig
    whole_video: ClassVar[bool] = True

    def __init__(self, dims: dict[str, int], config: CrossModalConfig) -> None:
        super().__init__()
        self.used = used_modalities(dims, config, "mt")
        streams = temporal_streams(dims, config)
        self.streams = nn.ModuleDict(streams)
        self.fusion = CrossModal({name: streams[name].size for name in self.used}, config, joint=False)
        self.head = FrameHead(self.fusion.size, config.size)

    def forward(self, streams: dict[str, Tensor], mask: Tensor) -> Tensor:
        """Logits [B, T, 2] of streams [B, T, D_m]; mask [B, T] is False on padding."""
        hidden = {name: self.streams[name](streams[name], mask) for name in self.used}
        return self.head(self.fusion(hidden, None if bool(mask.all()) else mask), mask)  # type: ignore[no-any-return]
