"""Legend of axes and units, and the checks at the borders between packages.

Letters used in every docstring:

    B   batch                       W   words of one video
    T   frames on the 24 fps clock  M   log-mel bands (64)
    D   size of an embedding        S   audio samples
    K   classes (0 no A/H, 1 A/H)   N   frames of several videos, concatenated

Frame i covers [i/24, (i+1)/24) s. Names of seconds end in ``_s``, of frame numbers in ``_frame`` or
``_frames``, of rates in ``_hz`` or ``_fps``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

FPS = 24
"""Frames per second of the clock of every modality, label and prediction."""

AFFECT = ("positive", "negative", "hesitant")
"""Columns of affect, each in [0, 1]. Positive and negative are separate scales: a single scale of valence cannot
distinguish mixed feelings (both high) from none (both low)."""


def check_shape(name: str, array: Any, shape: Sequence[int | None]) -> None:
    """Raise ValueError unless ``array.shape`` equals ``shape``; None stands for any length."""
    actual = tuple(array.shape)
    fits = len(actual) == len(shape) and all(
        want is None or want == have for want, have in zip(shape, actual, strict=True)
    )
    if not fits:
        wanted = ", ".join("?" if want is None else str(want) for want in shape)
        raise ValueError(f"{name} has shape {actual}, expected [{wanted}]")
