"""Pictures of high dynamic range (PQ and HLG, BT.2100) as ordinary ones, for networks that know no others."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

Floats = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8]

_TRANSFERS = {16: "PQ", 18: "HLG"}
"""By the code of ITU-T H.273."""
_WHITE_NITS = 203.0
"""Reference white of both (BT.2408), which becomes white."""
_HLG_PEAK_NITS, _HLG_GAMMA = 1000.0, 1.2
_KNEE = 0.7
"""Brighter parts, as shares of white, are compressed."""
_STEPS = 33
_BT2020_LUMA = np.array([0.2627, 0.6780, 0.0593])
_TO_BT709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])
_DISPLAY_GAMMA = 2.4


def high_range(frame: Any) -> str:
    """``PQ`` or ``HLG`` where a decoded frame is of high dynamic range, else nothing."""
    return _TRANSFERS.get(int(frame.color_trc or 0), "")


def tone_mapped(picture: Picture, transfer: str) -> Picture:
    """A picture of high dynamic range in the usual one.

    Args:
        picture: uint8 [H, W, 3], code values in BT.2020.
        transfer: ``PQ`` or ``HLG``.

    Returns:
        uint8 [H, W, 3], code values in BT.709.
    """
    return np.asarray(Image.fromarray(picture).filter(_table(transfer)))


@cache
def _table(transfer: str) -> ImageFilter.Color3DLUT:
    steps = np.linspace(0, 1, _STEPS)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")  # red is the fastest
    code = np.stack([red, green, blue], -1).reshape(-1, 3)
    linear = _pq(code) if transfer == "PQ" else _hlg(code)
    # each channel by itself: smooth between the table's steps
    shown = _compressed(np.maximum(linear / _WHITE_NITS @ _TO_BT709.T, 0))
    return ImageFilter.Color3DLUT(_STEPS, (shown ** (1 / _DISPLAY_GAMMA)).reshape(-1).tolist())


def _compressed(light: Floats) -> Floats:
    """Unchanged up to the knee, then ever flatter towards 1."""
    above = np.maximum(light - _KNEE, 0) / (1 - _KNEE)
    return np.minimum(light, _KNEE) + (1 - _KNEE) * above / (1 + above)


def _pq(code: Floats) -> Floats:
    """Nits of PQ code values (SMPTE ST 2084)."""
    power = code ** (32 / 2523)
    ratio = np.maximum(power - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * power)
    nits: Floats = 10_000 * ratio ** (16384 / 2610)
    return nits


def _hlg(code: Floats) -> Floats:
    """Nits of HLG code values on a display of 1000 nits (BT.2100)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    nits: Floats = _HLG_PEAK_NITS * scene * (scene @ _BT2020_LUMA)[:, None] ** (_HLG_GAMMA - 1)
    return nits
