"""VGGish's log-mel front end, exactly (Hershey et al., ICASSP 2017), and one patch per video frame.

Constants are those of the released VGGish; a patch of frame i begins with the log-mel row nearest to
i/24 s and spans 0.96 s, as in the papers' released features.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from waver.features.samples import RATE_HZ, Samples
from waver.shapes import FPS

Floats = npt.NDArray[np.float32]

ROWS_HZ = 100
"""Rows of the log-mel track per second."""
BANDS = 64
PATCH_ROWS = 96
"""Rows of a patch: 0.96 s."""

_WINDOW = 400  # 25 ms
_HOP = 160  # 10 ms
_FFT = 512
_LOW_HZ, _HIGH_HZ = 125.0, 7500.0
_OFFSET = 0.01
_BLOCK = 8192  # rows per transform, which bounds the memory for a long recording


@cache
def mel_matrix() -> npt.NDArray[np.float64]:
    """Weights [257, 64] from the bins of a spectrum to mel bands.

    Triangles are straight in the mel domain (HTK: ``1127 ln(1 + f/700)``), not normalised by area, and
    the constant bin is left out.
    """
    bins = _mel(np.linspace(0, RATE_HZ / 2, _FFT // 2 + 1))
    edges = np.linspace(_mel(np.array(_LOW_HZ)), _mel(np.array(_HIGH_HZ)), BANDS + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rise = (bins[:, None] - low) / (centre - low)
    fall = (high - bins[:, None]) / (high - centre)
    weights: npt.NDArray[np.float64] = np.maximum(0.0, np.minimum(rise, fall))
    weights[0] = 0.0
    return weights


def _mel(frequency_hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    scaled: npt.NDArray[np.float64] = 1127.0 * np.log1p(frequency_hz / 700.0)
    return scaled


def log_mel(samples: Samples) -> Floats:
    """Log-mel track of a waveform.

    Args:
        samples: [S] in [-1, 1), 16 kHz.

    Returns:
        float32 [R, 64], one row each 10 ms over 25 ms windows that are completely inside the waveform:
        ``ln(mel + 0.01)`` of the magnitude spectrum.
    """
    return _track(samples, len(samples), 0.0)


def padded_log_mel(samples: Samples) -> Floats:
    """``log_mel`` of the waveform followed by 1 s of its last value, as in the released features."""
    if not len(samples):
        return log_mel(samples)
    return _track(samples, len(samples) + RATE_HZ, float(samples[-1:][0]))


def _track(samples: Samples, length: int, after: float) -> Floats:
    """``log_mel`` of the samples, followed by a value up to a length."""
    if length < _WINDOW:
        return np.zeros((0, BANDS), np.float32)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)
    rows = np.empty((1 + (length - _WINDOW) // _HOP, BANDS), np.float32)
    for start in range(0, len(rows), _BLOCK):
        first, last = start * _HOP, (min(start + _BLOCK, len(rows)) - 1) * _HOP + _WINDOW
        heard = samples[first:last]
        heard = np.append(heard, np.full(last - first - len(heard), after, np.float32))
        block = np.lib.stride_tricks.sliding_window_view(heard, _WINDOW)[::_HOP].astype(np.float64) * hann
        rows[start : start + _BLOCK] = np.log(np.abs(np.fft.rfft(block, _FFT)) @ mel_matrix() + _OFFSET)
    return rows


def patch_starts(frames: int, rows: int) -> npt.NDArray[np.int64]:
    """First log-mel row of the patch of each video frame.

    Args:
        frames: T; where the track holds fewer complete patches, its last one is repeated.
        rows: R, at least 96.

    Returns:
        int64 [T]: 0, 4, 8, 12, 17, 21, 25, 29, ... (halves rounded to even).

    Raises:
        ValueError: the track is shorter than one patch.
    """
    if rows < PATCH_ROWS:
        raise ValueError(f"a track of {rows} rows holds no patch of {PATCH_ROWS}")
    whole = 1 + (rows - PATCH_ROWS) * FPS // ROWS_HZ
    example = np.minimum(np.arange(frames), whole - 1)
    return np.round(example * ROWS_HZ / FPS).astype(np.int64)


def patches(track: Floats, starts: npt.NDArray[np.int64]) -> Floats:
    """Patches float32 [T, 96, 64] of a track [R, 64] that begin at ``starts`` [T]."""
    views = np.lib.stride_tricks.sliding_window_view(track, PATCH_ROWS, axis=0)
    chosen: Floats = views[starts].transpose(0, 2, 1)
    return chosen


def patch_statistics(track: Floats, starts: npt.NDArray[np.int64]) -> Floats:
    """Mean and standard deviation over time of each band of each patch.

    Args:
        track: float32 [R, 64].
        starts: int64 [T], first rows of the patches.

    Returns:
        float32 [T, 128]: 64 means, then 64 (population) standard deviations.
    """
    # sums over a patch are differences of running sums; subtracting the track's mean first keeps precision
    centre = track.mean(axis=0, dtype=np.float64)
    found = np.empty((len(starts), 2 * BANDS), np.float32)
    at, before = 0, np.zeros((2, BANDS))  # sums of the rows before ``at``, and of their squares
    for first in range(0, len(starts), _BLOCK):
        own = starts[first : first + _BLOCK]
        moved = track[at : own[-1] + PATCH_ROWS] - centre
        sums = [
            np.cumsum(np.vstack([carried, x]), axis=0) for carried, x in zip(before, (moved, moved**2), strict=True)
        ]
        mean, square = ((x[own + PATCH_ROWS - at] - x[own - at]) / PATCH_ROWS for x in sums)
        spread = np.sqrt(np.maximum(square - mean * mean, 0.0))
        found[first : first + _BLOCK] = np.concatenate([mean + centre, spread], axis=1)
        before, at = np.stack([x[own[-1] - at] for x in sums]), int(own[-1])
    return found
