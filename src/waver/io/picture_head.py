"""What a picture says of itself before it is decoded: OpenCV makes room for what the head states."""

from __future__ import annotations

from io import BytesIO

from PIL import Image


def stated_sides(data: bytes, formats: tuple[str, ...]) -> tuple[int, int] | None:
    """Height and width as the head states them, pixels; None where it is no head of these formats.

    Args:
        data: the file.
        formats: of Pillow, as ``JPEG``.
    """
    try:
        with Image.open(BytesIO(data), formats=formats) as head:
            return head.height, head.width
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
