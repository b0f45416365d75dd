"""Faces as data sets of emotions give them: boxes and landmarks."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

Point = tuple[float, float]
Points = tuple[Point, Point, Point, Point, Point]
"""Right eye, left eye, nose, right and left corner of the mouth as the person has them (left to right in the
picture), x and y in pixels."""
Box = tuple[float, float, float, float]
"""x0, y0, x1, y1, pixels."""

_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,2})?")
_MOST = 1000
"""Characters of a number, and values of a text, beyond which it is no list of points."""
_EYES, _NOSE, _CORNERS = ((36, 42), (42, 48)), 30, (48, 54)
"""Of the 68 points of iBUG: points around each eye, the tip of the nose, the corners of the mouth."""
_LEAST = 4.0
"""Pixels between eyes and mouth; nearer ones are no face."""


def numbers(text: str) -> list[float]:
    """The numbers of a text, whatever stands between them; none where there are more than any face has."""
    found = [float(match) for match in _NUMBER.findall(text[: 20 * _MOST]) if len(match) < 20]
    return found if len(found) <= _MOST and all(map(math.isfinite, found)) else []


def as_points(values: Sequence[float]) -> Points | None:
    """Five points of ten numbers x, y, ...; None where eyes and mouth are too near.

    Data sets differ in whose right and left they name; here it is settled by the side on which the mouth is.
    """
    if len(values) != 10:
        return None
    first, second, nose, third, fourth = zip(values[::2], values[1::2], strict=True)
    (x, y), (across, down) = _middle((first, second)), _middle((third, fourth))
    if math.hypot(across - x, down - y) < _LEAST:
        return None

    def in_order(one: Point, other: Point) -> tuple[Point, Point]:
        turned = (other[0] - one[0]) * (down - y) < (other[1] - one[1]) * (across - x)
        return (other, one) if turned else (one, other)

    return *in_order(first, second), nose, *in_order(third, fourth)


def five_of_68(values: Sequence[float]) -> Points | None:
    """Five points of the 68 of iBUG, given as x, y, ...; None where it is another number."""
    if len(values) != 136:
        return None
    points = list(zip(values[::2], values[1::2], strict=True))
    five = [*(_middle(points[first:last]) for first, last in _EYES), points[_NOSE], *(points[i] for i in _CORNERS)]
    return as_points([value for point in five for value in point])


def as_box(x0: float, y0: float, x1: float, y1: float) -> Box | None:
    """A box; None where it is empty."""
    return (x0, y0, x1, y1) if x1 - x0 >= _LEAST and y1 - y0 >= _LEAST else None


def _middle(points: Sequence[Point]) -> Point:
    return sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)
