"""Level and pitch of the voice in every frame."""

from __future__ import annotations

import librosa
import numpy as np
import numpy.typing as npt

from waver.features.samples import RATE_HZ, Samples, within
from waver.shapes import FPS

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

COLUMNS = ("level_db", "pitch_semitones", "voiced")
FLOOR_DB = -100.0
"""Level of digital silence."""
REFERENCE_HZ = 27.5
"""Pitch 0: the lowest A of a piano."""

_LOWEST_HZ, _HIGHEST_HZ = 60.0, 500.0
_STRETCH = 800  # samples per frame, 50 ms: three of the longest periods
_COMPARED = _STRETCH - int(RATE_HZ / _LOWEST_HZ) - 2  # samples that are followed by a full period, for every period
_PERIODIC = 0.7  # least correlation of a voiced stretch with itself one period later
_QUIET_DB = 35.0  # a frame this far below the loud frames of a recording is background
_BLOCK = 2048  # frames per block, which bounds the memory for a long recording


def prosody(samples: Samples, frames: int) -> Floats:
    """Level, pitch and voicing at the middle of every frame.

    Args:
        samples: [S] in [-1, 1), 16 kHz, sample 0 at the first frame.
        frames: T, at least 1.

    Returns:
        float32 [T, 3], COLUMNS: level of 50 ms in dB below full scale, at least FLOOR_DB; pitch in semitones
        above REFERENCE_HZ (YIN; de Cheveigné and Kawahara, JASA 2002), 0 where not voiced; 1 where voiced: periodic
        at 60 to 500 Hz, and no more than 35 dB below the level that a twentieth of the frames exceed.
    """
    middle = np.round((np.arange(frames) + 0.5) * RATE_HZ / FPS).astype(np.int64)
    half = _STRETCH // 2
    found = np.zeros((frames, 3), np.float32)
    for first in range(0, frames, _BLOCK):
        own = middle[first : first + _BLOCK]
        start = int(own[0]) - half
        heard = within(samples, start, int(own[-1]) + half)
        block = np.lib.stride_tricks.sliding_window_view(heard, _STRETCH)[own - half - start].astype(np.float64)
        block -= block.mean(axis=1, keepdims=True)
        pitch_hz, correlation = _pitch(block)
        part = found[first : first + _BLOCK]
        part[:, 0] = 20 * np.log10(np.sqrt((block**2).mean(axis=1)) + 10 ** (FLOOR_DB / 20))
        part[:, 1] = 12 * np.log2(pitch_hz / REFERENCE_HZ)
        part[:, 2] = correlation > _PERIODIC
    found[found[:, 0] < np.percentile(found[:, 0], 95) - _QUIET_DB, 2] = 0
    found[found[:, 2] == 0, 1] = 0
    return found


def _pitch(stretches: Doubles) -> tuple[Doubles, Doubles]:
    """Most likely pitch of each stretch [n, 800] in Hz, and its correlation with itself one period later, [n]."""
    pitch_hz: Doubles = librosa.yin(
        stretches,
        fmin=_LOWEST_HZ,
        fmax=_HIGHEST_HZ,
        sr=RATE_HZ,
        frame_length=_STRETCH,
        hop_length=_STRETCH,
        center=False,
    )[:, 0]
    period = np.round(RATE_HZ / pitch_hz).astype(np.int64)
    one = stretches[:, :_COMPARED]
    next_one = np.take_along_axis(stretches, period[:, None] + np.arange(_COMPARED), axis=1)
    power = np.sqrt((one**2).sum(axis=1) * (next_one**2).sum(axis=1))
    correlation: Doubles = (one * next_one).sum(axis=1) / np.maximum(power, 1e-9)
    return pitch_hz, correlation
