"""Video-LLaVA (Lin et al., EMNLP 2024), the papers' zero-shot model, of any folder in the transformers format.

Its pictures are made here as its own video processor makes them, which needs torchvision: a side of 224 pixels, CLIP's
mean and deviation. Each picture becomes as many tokens as the tower has patches, and the class token. The prompt is
wrapped as in the released code, whatever chat template the checkpoint has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor
from transformers import AutoTokenizer, VideoLlavaForConditionalGeneration
from transformers.utils.logging import disable_progress_bar

from waver.config.section import Section
from waver.models.pretrained_folder import LOCAL, reading_folder
from waver.models.vision_language.clip_folder import DEVIATION, MEAN
from waver.zeroshot.families.base import Capabilities, Dtype, Item, Prompt
from waver.zeroshot.families.pixels import Geometry, PixelScale, squares
from waver.zeroshot.families.transformers_model import TransformersModel, frames_that_fit, read_network
from waver.zeroshot.prompts.prompt_set import vicuna_turn

_SCALE = PixelScale(tuple(MEAN), tuple(DEVIATION))


class VideoLlavaConfig(Section):
    """How pictures become square."""

    geometry: Geometry = "squash"


class VideoLlava(TransformersModel):
    """A loaded Video-LLaVA; its tower of single pictures is not used."""

    Config: ClassVar[type[Section]] = VideoLlavaConfig

    @classmethod
    def load(cls, folder: Path, config: VideoLlavaConfig, dtype: Dtype) -> Self:
        """Read a folder.

        Raises:
            WaverError: it holds no Video-LLaVA with its tokenizer, or not all of it.
        """
        disable_progress_bar()
        with reading_folder(folder, "Video-LLaVA with its tokenizer", "correct models.paths.video_llava"):
            model = read_network(VideoLlavaForConditionalGeneration, folder, dtype)
            tokenizer = AutoTokenizer.from_pretrained(folder, **LOCAL)
            if int(tokenizer.convert_tokens_to_ids("<video>")) != model.config.video_token_id:
                raise ValueError("its tokenizer does not have the model's token <video>")
        return cls(model, tokenizer, config)

    @property
    def capabilities(self) -> Capabilities:
        """Video and text; as many frames as fit."""
        return Capabilities(video=True, most_frames=frames_that_fit(self.model, self._tokens_of_frame))

    @property
    def _side(self) -> int:
        return int(self.model.config.vision_config.image_size)

    @property
    def _tokens_of_frame(self) -> int:
        return (self._side // int(self.model.config.vision_config.patch_size)) ** 2 + 1

    def wrapped(self, item: Item, prompt: Prompt) -> str:
        """As released, with one space before ``ASSISTANT:``."""
        assert item.frames is not None
        return vicuna_turn(prompt.text, "<video>" * (len(item.frames) * self._tokens_of_frame) + "\n")

    def token_ids(self, wrapped: str) -> list[int]:
        """With the token that begins a text."""
        ids: list[int] = self.tokenizer(wrapped)["input_ids"]
        return ids

    def pictures(self, items: Sequence[Item]) -> Mapping[str, Tensor]:
        """Pixels [B, F, 3, side, side]."""
        pixels = _SCALE(torch.stack(squares(items, self._side, self.config.geometry)).to(self.model.device))
        return {"pixel_values_videos": pixels.to(self.model.dtype)}
