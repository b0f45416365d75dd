"""How a stored picture is shown: with square pixels, mirrored or not, and turned upright."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

_NEARLY_SQUARE = 0.02
"""Encoders round a picture to whole blocks and correct the pixels' aspect by a percent: no face shows that."""
_MOST_ASPECT = 4.0
"""Anamorphic pictures have pixels of 1:2 to 2:1; more is damage."""


@dataclass(frozen=True)
class Display:
    """From the stored picture to the shown one: scaled, then mirrored, then turned.

    Attributes:
        rotation: degrees counter-clockwise: 0, 90, 180 or 270.
        mirrored: left and right are exchanged before the turn.
        pixel_aspect: width of a stored pixel by its height.
    """

    rotation: int = 0
    mirrored: bool = False
    pixel_aspect: float = 1.0

    def square(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of a stored picture with square pixels: the shorter axis is enlarged."""
        if self.pixel_aspect >= 1:
            return round(width * self.pixel_aspect), height
        return width, round(height / self.pixel_aspect)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height as shown."""
        width, height = self.square(width, height)
        return (height, width) if self.rotation in (90, 270) else (width, height)


AS_STORED = Display()


def display_of(stream: Any, frame: Any) -> Display:
    """How the frames of a video stream are shown.

    Args:
        stream: of an open container.
        frame: its first decoded frame.
    """
    given = frame.side_data.get("DISPLAYMATRIX")
    rotation, mirrored = (0, False) if given is None else _orientation(np.frombuffer(bytes(given), np.int32))
    return Display(rotation, mirrored, _pixel_aspect(stream))


def _orientation(matrix: Any) -> tuple[int, bool]:
    """Turn and mirror of FFmpeg's display matrix [9]; other angles go to the nearest right one."""
    # columns: where the stored picture's right and its bottom point to, y downwards
    (right_x, right_y), (down_x, down_y) = (matrix[at : at + 2].astype(float) for at in (0, 3))
    mirrored = right_x * down_y - right_y * down_x < 0
    if mirrored:
        right_x, right_y = -right_x, -right_y
    degrees = math.degrees(math.atan2(down_x - right_y, right_x + down_y))
    return round(degrees / 90) * 90 % 360, mirrored


def _pixel_aspect(stream: Any) -> float:
    for ratio in (stream.sample_aspect_ratio, stream.codec_context.sample_aspect_ratio):
        aspect = float(ratio) if ratio else 0.0
        if 1 / _MOST_ASPECT <= aspect <= _MOST_ASPECT:
            return aspect if abs(aspect - 1) > _NEARLY_SQUARE else 1.0
    return 1.0
