"""Who speaks, of people who are as likely otherwise: the one whose mouth moves when there is sound.

What a mouth changes from picture to picture beyond the nose and the cheeks, which change with the head, the light and
the trembling of the landmarks, is its movement. A speaker's rises and falls with the loudness, a listener's does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from waver.features.faces.align import aligned_face, similarity_to_template
from waver.features.level import WINDOW_S

Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

_SIDE = 64
_MOUTH, _CHEEKS = (slice(42, 62), slice(20, 44)), (slice(30, 42), slice(12, 52))
"""Rows and columns of an aligned face."""
_SMOOTHED = 5
"""Windows of loudness that are taken together: half a second, as lips open before they are heard."""
_LEAST = 50
"""Windows in which a mouth is seen, before it says anything."""
_RANGE_DB = 40.0
_APART = 15
"""Windows by which the sound is shifted, at least, so that it is no longer this mouth's."""
_SURE = 2.5
"""Standard errors of the difference of two correlations."""


@dataclass(frozen=True)
class Loudness:
    """The sound of a recording.

    Attributes:
        levels_db: of each window of ``waver.features.level``, from the first frame on.
        times_s: of the frames in which faces were looked for, by place.
    """

    levels_db: Doubles
    times_s: Doubles


Hear = Callable[[], Loudness | None]
"""Asked only where it matters who speaks; None where there is no sound."""


def lower_face(picture: npt.NDArray[np.uint8], landmarks: Floats) -> tuple[Doubles, Doubles]:
    """Mouth and cheeks of a face, its grey values brought to mean 0 and deviation 1.

    Args:
        picture: uint8 [H, W, 3].
        landmarks: [5, 2], pixels.
    """
    face = aligned_face(picture, similarity_to_template(landmarks, _SIDE), _SIDE)
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.float64)
    grey = (grey - grey.mean()) / (grey.std() + 1)
    return grey[_MOUTH], grey[_CHEEKS]


def movement(before: tuple[Doubles, Doubles], now: tuple[Doubles, Doubles]) -> float:
    """How much more the mouth changed than the cheeks."""
    mouth, cheeks = (float(np.abs(one - other).mean()) for one, other in zip(before, now, strict=True))
    return mouth - cheeks


def who_speaks(moved: Sequence[Mapping[int, float]], heard: Loudness) -> int:
    """Which of several people moves the mouth with the sound.

    Args:
        moved: movements of each one's mouth by place, the most likely person first.
        heard: the sound.

    Returns:
        0 unless another one surely does so more than the first.
    """
    found = [_agreement(one, heard) for one in moved]
    best = max(range(len(found)), key=lambda number: found[number][0])
    (first, error), (other, other_error) = found[0], found[best]
    return best if other - first > _SURE * np.hypot(error, other_error) else 0


def _agreement(moved: Mapping[int, float], heard: Loudness) -> tuple[float, float]:
    """Correlation of a mouth's movement with the loudness, and its standard error.

    The error is the spread of the correlations with the sound shifted in time: both go on for a second or so, and so
    agree by chance more often than as many independent values would.
    """
    levels = np.maximum(heard.levels_db, np.quantile(heard.levels_db, 0.95) - _RANGE_DB)
    window = (heard.times_s[list(moved)] / WINDOW_S).astype(np.int64)
    inside = (window >= 0) & (window < len(levels))
    window, values = window[inside], np.array(list(moved.values()))[inside]
    count, total = (_over_time(np.bincount(window, one, len(levels))) for one in (None, values))
    seen = count > 0.5
    if seen.sum() < _LEAST:
        return 0.0, np.inf
    mouth, sound = (
        _standardised(total[seen] / count[seen]),
        _standardised((_over_time(levels) / _over_time(np.ones(len(levels))))[seen]),
    )
    shifted = [float((mouth * np.roll(sound, by)).mean()) for by in range(_APART, len(sound) - _APART)]
    return float((mouth * sound).mean()), float(np.sqrt(np.mean(np.square(shifted))))


def _standardised(values: Doubles) -> Doubles:
    found: Doubles = (values - values.mean()) / max(float(values.std()), 1e-9)
    return found


def _over_time(values: npt.NDArray[np.generic]) -> Doubles:
    found: Doubles = np.convolve(np.asarray(values, np.float64), np.ones(_SMOOTHED), "same")
    return found
