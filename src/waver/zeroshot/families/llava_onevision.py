"""LLaVA-OneVision (Li et al., TMLR 2025): frames of a fixed size, whose tokens are pooled to half the side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor
from transformers import LlavaOnevisionForConditionalGeneration

from waver.config.section import Section
from waver.zeroshot.families.base import Item
from waver.zeroshot.families.chat_video import ChatVideoModel
from waver.zeroshot.families.pixels import Geometry, squares


class LlavaOnevisionConfig(Section):
    """How pictures become square."""

    geometry: Geometry = "squash"


class LlavaOnevision(ChatVideoModel):
    """A loaded LLaVA-OneVision."""

    Config: ClassVar[type[Section]] = LlavaOnevisionConfig
    Network = LlavaOnevisionForConditionalGeneration
    kind = "LLaVA-OneVision with its tokenizer and processor"

    @property
    def placeholder(self) -> str:
        return str(self.tokenizer.convert_ids_to_tokens(self.model.config.video_token_id))

    @property
    def _side(self) -> int:
        return int(self.model.config.vision_config.image_size)

    @property
    def tokens_of_frame(self) -> int:
        """Of the patches, every second one each way; a class token does not count, whatever the strategy."""
        return math.ceil(self._side // int(self.model.config.vision_config.patch_size) / 2) ** 2

    def expanded(self, item: Item) -> str:
        """The frames' tokens, and one that ends the video."""
        assert item.frames is not None
        return self.placeholder * (len(item.frames) * self.tokens_of_frame + 1)

    def pictures(self, items: Sequence[Item]) -> Mapping[str, Tensor]:
        """Pixels [B, F, 3, side, side]."""
        pixels = self.scale(torch.stack(squares(items, self._side, self.config.geometry)).to(self.model.device))
        return {"pixel_values_videos": pixels.to(self.model.dtype)}
