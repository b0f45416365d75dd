"""Faces as input of the image backbones: resized, cropped, from -1 (black) to 1 (white).

A backbone defines the size (``FaceSize``): 124 pixels, cropped to 112, for those of the papers. The crop is random and
randomly mirrored in training, and central and not mirrored otherwise (recipe of the papers' released code).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from waver.models.backbones.base import FACE, FaceSize

Pixels = npt.NDArray[np.uint8]


def small_face(image: Pixels, size: FaceSize = FACE) -> Pixels:
    """The middle square of a picture uint8 [H, W, 3], as uint8 [side, side, 3]."""
    height, width = image.shape[:2]
    if height != width:
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        image = image[top : top + side, left : left + side]
    # Pillow's filter: bit-identical to the input of the released code's networks
    return np.asarray(Image.fromarray(image).resize((size.side, size.side), Image.Resampling.BILINEAR))


def random_crops(
    count: int, draw: np.random.Generator, size: FaceSize = FACE
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """First row and first column of ``count`` crops, and which are mirrored (half of them)."""
    top, left = draw.integers(0, size.slack + 1, (2, count))
    return top, left, draw.random(count) < 0.5


def network_input(faces: Tensor, top: Tensor, left: Tensor, mirrored: Tensor, size: FaceSize = FACE) -> Tensor:
    """Crops of faces.

    Args:
        faces: uint8 [B, side, side, 3], RGB, on the device that crops them.
        top: int64 [B], first row of each crop, 0 to the slack.
        left: int64 [B], first column.
        mirrored: bool [B].
        size: that of the backbone.

    Returns:
        float32 [B, 3, crop, crop] in [-1, 1].
    """
    crops = torch.empty((len(faces), size.crop, size.crop, 3), device=faces.device)
    # slices: five times as fast as one gather with an index per pixel
    for crop, face, row, column, mirror in zip(
        crops, faces, top.tolist(), left.tolist(), mirrored.tolist(), strict=True
    ):
        part = face[row : row + size.crop, column : column + size.crop]
        crop.copy_(part.flip(1) if mirror else part)
    return crops.permute(0, 3, 1, 2).div_(127.5).sub_(1)


def central_input(faces: Tensor, size: FaceSize = FACE) -> Tensor:
    """The middle crop of faces uint8 [B, side, side, 3], as ``network_input``."""
    first, last = size.slack // 2, size.slack // 2 + size.crop
    crops = faces[:, first:last, first:last]
    return crops.permute(0, 3, 1, 2).float().div(127.5).sub(1)
