"""Faces as the image backbones see them: shorter side 124, a crop of 112, from -1 (black) to 1 (white).

The crop is random and mirrored at random in training, in the middle and as it is otherwise (recipe of the
papers' released code).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from waver.models.backbones.feature import INPUT_SIDE

SIDE = 124
"""Pixels, height and width of a face before the crop."""
SLACK = SIDE - INPUT_SIDE
"""Largest row or column at which a crop can begin."""

Pixels = npt.NDArray[np.uint8]


def small_face(image: Pixels) -> Pixels:
    """The middle square of a picture uint8 [H, W, 3], as uint8 [124, 124, 3]."""
    height, width = image.shape[:2]
    if height != width:
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        image = image[top : top + side, left : left + side]
    # Pillow's filter: the pixels that the released code shows its networks, to the bit
    return np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def random_crops(
    count: int, draw: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """First row and first column of ``count`` crops, and which are mirrored (half of them)."""
    top, left = draw.integers(0, SLACK + 1, (2, count))
    return top, left, draw.random(count) < 0.5


def network_input(faces: Tensor, top: Tensor, left: Tensor, mirrored: Tensor) -> Tensor:
    """Crops of faces.

    Args:
        faces: uint8 [B, 124, 124, 3], RGB, on the device that is to cut them.
        top: int64 [B], first row of each crop, 0 to 12.
        left: int64 [B], first column.
        mirrored: bool [B].

    Returns:
        float32 [B, 3, 112, 112] in [-1, 1].
    """
    crops = torch.empty((len(faces), INPUT_SIDE, INPUT_SIDE, 3), device=faces.device)
    # slices: five times as fast as one gather with an index per pixel
    for crop, face, row, column, mirror in zip(
        crops, faces, top.tolist(), left.tolist(), mirrored.tolist(), strict=True
    ):
        part = face[row : row + INPUT_SIDE, column : column + INPUT_SIDE]
        crop.copy_(part.flip(1) if mirror else part)
    return crops.permute(0, 3, 1, 2).div_(127.5).sub_(1)


def central_input(faces: Tensor) -> Tensor:
    """The middle crop of faces uint8 [B, 124, 124, 3], as ``network_input``."""
    edge = SLACK // 2
    crops = faces[:, edge : edge + INPUT_SIDE, edge : edge + INPUT_SIDE]
    return crops.permute(0, 3, 1, 2).float().div(127.5).sub(1)
