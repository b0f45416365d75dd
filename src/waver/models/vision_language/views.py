"""Views of a picture: itself, its mirror image, and random crops of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from waver.models.vision_language.encoder import VisionLanguageEncoder

_RATIO = 4 / 3
"""The longer side of a crop over the shorter one, at most (as torchvision's)."""


def views_of(
    encoder: VisionLanguageEncoder, pictures: Tensor, seeds: Sequence[int], count: int, least_area: float
) -> Tensor:
    """Views of pictures, in the size of an encoder.

    Args:
        encoder: whose size it is.
        pictures: uint8 [B, S, S, 3], RGB.
        seeds: of each picture's crops.
        count: views of each, V: the first is the picture as it is, the second its mirror image, and of the others,
            random crops, half are mirrored.
        least_area: least share of the picture in a crop.

    Returns:
        float32 [B, V, 3, side, side], from 0 to 1.
    """
    plain = encoder.resized(pictures)[:, None]
    crops = count - 2
    if crops < 1:
        return torch.cat([plain, plain.flip(-1)], dim=1)[:, :count]
    source = pictures.to(encoder.device).permute(0, 3, 1, 2).float() / 255
    boxes = torch.from_numpy(np.stack([_boxes(seed, crops, least_area) for seed in seeds])).to(source)
    grid = functional.affine_grid(
        boxes.flatten(0, 1), [boxes.shape[0] * crops, 3, encoder.side, encoder.side], align_corners=False
    )
    repeated = source.repeat_interleave(crops, dim=0)
    drawn = functional.grid_sample(repeated, grid, mode="bicubic", padding_mode="border", align_corners=False)
    return torch.cat([plain, plain.flip(-1), drawn.clamp(0, 1).reshape(-1, crops, *drawn.shape[1:])], dim=1)


def _boxes(seed: int, count: int, least_area: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Crops of one picture as affine maps float32 [count, 2, 3] of the square from -1 to 1."""
    area, ratio, across, down, mirror = np.random.default_rng(seed).random((5, count))
    area = least_area + (1 - least_area) * area
    ratio = np.exp((2 * ratio - 1) * math.log(_RATIO))
    width, height = np.minimum(np.sqrt(area * ratio), 1), np.minimum(np.sqrt(area / ratio), 1)
    boxes = np.zeros((count, 2, 3), np.float32)
    boxes[:, 0, 0] = np.where(mirror < 0.5, -width, width)
    boxes[:, 0, 2] = (2 * across - 1) * (1 - width)
    boxes[:, 1, 1], boxes[:, 1, 2] = height, (2 * down - 1) * (1 - height)
    return boxes
