"""Qwen3-VL: frames of their own shape, two to a token, each pair after its time in seconds.

As its authors' processor, a pair stands between its own marks, and no further pair of marks stands around the video.
Positions have three axes (time, height, width), in which a picture takes less room than it has tokens.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from pydantic import Field
from torch import Tensor
from transformers import Qwen3VLForConditionalGeneration

from waver.config.section import Section
from waver.zeroshot.families.base import Item, Pictures
from waver.zeroshot.families.chat_video import ChatVideoModel
from waver.zeroshot.families.shared_prefix import Positions, text_positions

_VIDEO = 2
"""Type of a token of a video, as the model counts types."""


class Qwen3VlConfig(Section):
    """How large pictures are."""

    most_tokens_of_frame: int = Field(
        256, ge=1, description="tokens of a pair of frames; pictures are made smaller to fit"
    )


class Qwen3Vl(ChatVideoModel):
    """A loaded Qwen3-VL."""

    Config: ClassVar[type[Section]] = Qwen3VlConfig
    Network = Qwen3VLForConditionalGeneration
    kind = "Qwen3-VL with its tokenizer and processor"

    @property
    def placeholder(self) -> str:
        begin, token, end = self._marks
        return f"{begin}{token}{end}"

    @property
    def _marks(self) -> tuple[str, str, str]:
        """What begins a picture, what stands for it, what ends it."""
        config = self.model.config
        ids = (config.vision_start_token_id, config.video_token_id, config.vision_end_token_id)
        begin, token, end = (str(self.tokenizer.convert_ids_to_tokens(one)) for one in ids)
        return begin, token, end

    @property
    def _merged(self) -> int:
        return int(self.model.config.vision_config.spatial_merge_size)

    @property
    def _together(self) -> int:
        return int(self.model.config.vision_config.temporal_patch_size)

    @property
    def _patch(self) -> int:
        return int(self.model.config.vision_config.patch_size)

    @property
    def tokens_of_frame(self) -> int:
        """At most, with the time before it."""
        values: int = self.config.most_tokens_of_frame + 12
        return math.ceil(values / self._together)

    def _grid(self, frames: Pictures) -> tuple[int, int, int]:
        """Pairs of frames, and patches down and across."""
        _, height, width, _ = frames.shape
        height, width = fitted(height, width, self._patch * self._merged, self.config.most_tokens_of_frame)
        return math.ceil(len(frames) / self._together), height // self._patch, width // self._patch

    def expanded(self, item: Item) -> str:
        """Of each pair its mean time, and its tokens between marks; the last frame is repeated to make a pair."""
        assert item.frames is not None
        assert item.times_s is not None
        begin, token, end = self._marks
        pairs, down, across = self._grid(item.frames)
        times = np.append(item.times_s, np.repeat(item.times_s[-1:], -len(item.times_s) % self._together))
        tokens = begin + token * (down * across // self._merged**2) + end
        # of the first and the last frame that are read together
        first, last = times[:: self._together], times[self._together - 1 :: self._together]
        assert len(first) == pairs
        return "".join(f"<{(a + b) / 2:.1f} seconds>{tokens}" for a, b in zip(first, last, strict=True))

    def pictures(self, items: Sequence[Item]) -> Mapping[str, Tensor]:
        """Patches of all frames [N, values], and the grid of each item [B, 3]."""
        frames = [item.frames for item in items if item.frames is not None]
        patches = torch.cat([self._patches(one) for one in frames])
        return {"pixel_values_videos": patches.to(self.model.dtype), "video_grid_thw": self._grids(items)}

    def _grids(self, items: Sequence[Item]) -> Tensor:
        grids = [self._grid(item.frames) for item in items if item.frames is not None]
        return torch.tensor(grids, device=self.model.device)

    def _patches(self, frames: Pictures) -> Tensor:
        pairs, down, across = self._grid(frames)
        size = (across * self._patch, down * self._patch)
        made = [np.asarray(Image.fromarray(one).resize(size, Image.Resampling.BICUBIC)) for one in frames]
        made += [made[-1]] * (pairs * self._together - len(made))
        pixels = torch.from_numpy(np.stack(made)).to(self.model.device).permute(0, 3, 1, 2).float() / 255
        return patched(self.scale(pixels), self._patch, self._merged, self._together)

    def positions(self, items: Sequence[Item]) -> Positions:
        """On three axes: by the model's own count where the video is, and from there by that of the text."""
        grids, begun = self._grids(items), torch.zeros(len(items), 1, dtype=torch.int64, device=self.model.device)

        def count(ids: Tensor, mask: Tensor) -> Tensor:
            nonlocal begun
            if ids.shape[1] < mask.shape[1]:
                return (text_positions(ids, mask) + begun).expand(3, -1, -1)
            types = (ids == self.model.config.video_token_id).int() * _VIDEO
            found, begun = self.model.model.get_rope_index(ids, types, video_grid_thw=grids, attention_mask=mask)
            return found  # type: ignore[no-any-return]

        return count


def fitted(height: int, width: int, factor: int, most_tokens: int) -> tuple[int, int]:
    """Height and width near those of a picture, multiples of ``factor``, of at most ``most_tokens`` squares of it."""
    down, across = (max(round(size / factor), 1) for size in (height, width))
    if down * across > most_tokens:
        shrink = math.sqrt(height * width / (most_tokens * factor**2))
        down, across = (max(math.floor(size / shrink / factor), 1) for size in (height, width))
    # of a picture that is very narrow, one side cannot shrink further
    return min(down, most_tokens) * factor, min(across, most_tokens) * factor


def patched(pixels: Tensor, patch: int, merged: int, together: int) -> Tensor:
    """Pixels of frames as rows, a row a patch of ``together`` frames; patches that are merged later are neighbours.

    Args:
        pixels: [F, 3, H, W]; F is a multiple of ``together``, H and W of ``patch`` times ``merged``.
        patch: side of a patch, pixels.
        merged: patches on a side of a square that becomes one token.
        together: frames.

    Returns:
        [F / together x H / patch x W / patch, 3 x together x patch x patch].
    """
    frames, _, height, width = pixels.shape
    cut = pixels.view(
        frames // together, together, 3,
        height // patch // merged, merged, patch,
        width // patch // merged, merged, patch,
    )  # fmt: skip
    return cut.permute(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(-1, 3 * together * patch**2)
