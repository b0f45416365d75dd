"""InternVL 3 and 3.5 of the transformers library (the checkpoints whose names end in ``-hf``).

A video is a list of numbered pictures to it: ``Frame1: <img>...</img>``, one line each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor
from transformers import InternVLForConditionalGeneration

from waver.config.section import Section
from waver.errors import WaverError
from waver.zeroshot.families.base import Item
from waver.zeroshot.families.chat_video import ChatVideoModel
from waver.zeroshot.families.pixels import Geometry, squares


class InternVlConfig(Section):
    """How pictures become square."""

    geometry: Geometry = "squash"


class InternVl(ChatVideoModel):
    """A loaded InternVL."""

    Config: ClassVar[type[Section]] = InternVlConfig
    Network = InternVLForConditionalGeneration
    kind = "InternVL with its tokenizer and processor"

    @property
    def placeholder(self) -> str:
        return str(getattr(self.tokenizer, "video_token", "<video>"))

    @property
    def _marks(self) -> tuple[str, str]:
        """What begins and ends a picture."""
        names = (("start_image_token", "<img>"), ("end_image_token", "</img>"))
        begin, end = (str(getattr(self.tokenizer, name, default)) for name, default in names)
        return begin, end

    @property
    def _side(self) -> int:
        return int(self.model.config.vision_config.image_size[0])

    @property
    def tokens_of_frame(self) -> int:
        """Patches, merged by the model's own factor."""
        across = self._side // int(self.model.config.vision_config.patch_size[0])
        return int(across * self.model.config.downsample_ratio) ** 2

    def check_tokens(self) -> None:
        """As of all families; a picture has a beginning and an end too."""
        super().check_tokens()
        absent = [mark for mark in self._marks if mark not in self.tokenizer.get_vocab()]
        if absent:
            raise WaverError(f"its tokenizer has no {' and no '.join(absent)}, which are around every picture")

    def expanded(self, item: Item) -> str:
        """The frames' tokens between marks, numbered from 1."""
        assert item.frames is not None
        begin, end = self._marks
        token = self.tokenizer.convert_ids_to_tokens(self.model.config.image_token_id)
        picture = f"{begin}{token * self.tokens_of_frame}{end}"
        return "\n".join(f"Frame{number}: {picture}" for number in range(1, len(item.frames) + 1))

    def pictures(self, items: Sequence[Item]) -> Mapping[str, Tensor]:
        """Pixels of all frames one after another, [B x F, 3, side, side]."""
        pixels = self.scale(torch.cat(squares(items, self._side, self.config.geometry)).to(self.model.device))
        return {"pixel_values": pixels.to(self.model.dtype)}
