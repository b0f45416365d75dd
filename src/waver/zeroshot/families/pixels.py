"""Pictures of any shape as the square input of a model, without torchvision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from waver.zeroshot.families.base import Item, Pictures

Geometry = Literal["squash", "centre_crop", "letterbox"]
"""``squash``: the shape is lost, as in the released code; ``centre_crop``: the shorter edge fits, and what is beside it
is cut off, as the checkpoint's own processor does; ``letterbox``: the longer edge fits, grey beside it."""
_GREY = (128, 128, 128)


class PixelScale(NamedTuple):
    """Mean and deviation of red, green and blue, from 0 black to 1 white."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def __call__(self, pixels: Tensor) -> Tensor:
        """Pixels float32 [..., 3, H, W] on the scale of the model."""
        mean, deviation = (torch.tensor(of, device=pixels.device)[:, None, None] for of in self)
        return (pixels - mean) / deviation


def squares(items: Sequence[Item], side: int, geometry: Geometry) -> list[Tensor]:
    """The frames of each item that has some, see ``shaped``."""
    return [shaped(item.frames, side, geometry) for item in items if item.frames is not None]


def shaped(pictures: Pictures, side: int, geometry: Geometry) -> Tensor:
    """Pictures uint8 [F, H, W, 3] as float32 [F, 3, side, side], 0 black to 1 white (bicubic)."""
    made = np.stack([np.asarray(_square(Image.fromarray(one), side, geometry)) for one in pictures])
    return torch.from_numpy(made).permute(0, 3, 1, 2).float() / 255


def _square(picture: Image.Image, side: int, geometry: Geometry) -> Image.Image:
    if geometry == "squash":
        return picture.resize((side, side), Image.Resampling.BICUBIC)
    edge = (min if geometry == "centre_crop" else max)(picture.size)
    # the longer edge is cut to whole pixels, as in the transformers library
    width, height = (max(1, side if size == edge else int(size * side / edge)) for size in picture.size)
    small = picture.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - side) // 2, (height - side) // 2
    if geometry == "centre_crop":
        return small.crop((left, top, left + side, top + side))
    whole = Image.new("RGB", (side, side), _GREY)
    whole.paste(small, (-left, -top))
    return whole
