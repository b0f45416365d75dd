"""Alignment of a face by five points to the template of face.evoLVe (dataset paper, section 3)."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

_TEMPLATE_SIDE = 112
_TEMPLATE = np.array(
    [
        [30.2946 + 8, 51.6963],
        [65.5318 + 8, 51.5014],
        [48.0252 + 8, 71.7366],
        [33.5493 + 8, 92.3655],
        [62.7299 + 8, 92.2041],
    ]
)
"""Eyes, nose and corners of the mouth in a square of 112; the 96 wide original, moved to its middle."""


def similarity_to_template(landmarks: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float64]:
    """Scale, rotation and shift that bring five points nearest to the template, in least squares.

    Args:
        landmarks: [..., 5, 2], pixels of the source picture.
        size: side of the aligned face, pixels.

    Returns:
        [..., 2, 3], matrices from source to aligned pixels.
    """
    points = landmarks.astype(np.float64)
    target = _TEMPLATE * (size / _TEMPLATE_SIDE)
    middle, target_middle = points.mean(-2, keepdims=True), target.mean(0)
    around, target_around = points - middle, target - target_middle
    spread = np.maximum((around**2).sum((-2, -1)), 1e-9)
    along = (around * target_around).sum((-2, -1)) / spread
    x, y = around[..., 0], around[..., 1]
    across = (x * target_around[:, 1] - y * target_around[:, 0]).sum(-1) / spread
    turn = np.stack([np.stack([along, -across], -1), np.stack([across, along], -1)], -2)
    shift = target_middle - (turn @ middle[..., 0, :, None])[..., 0]
    return np.concatenate([turn, shift[..., None]], axis=-1)


def aligned_face(picture: npt.NDArray[np.uint8], matrix: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.uint8]:
    """The aligned face [size, size, 3], bilinear, black where the picture ends."""
    face: npt.NDArray[np.uint8] = cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_LINEAR)
    return face
