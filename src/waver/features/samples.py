"""Samples of sound that take two bytes each: an hour takes 115 MB, and what is computed of it is computed in parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

RATE_HZ = 16_000
"""Sampling rate of every waveform: that of VGGish and of Whisper."""
_FULL_SCALE = 32768.0
_PART = 60 * RATE_HZ
"""Samples at once: a minute."""


class Waveform:
    """A waveform of 16 bits, given out as float32 in [-1, 1).

    A slice is a new array of what it holds; numpy takes the whole where it wants an array.

    Args:
        pcm: int16 [S].
        gain: what all samples are multiplied by.
    """

    dtype = np.dtype(np.float32)
    ndim = 1

    def __init__(self, pcm: npt.NDArray[np.int16], gain: float = 1.0) -> None:
        self.pcm, self.gain = pcm, gain

    @property
    def shape(self) -> tuple[int]:
        """[S]."""
        return (len(self.pcm),)

    def __len__(self) -> int:
        return len(self.pcm)

    def __getitem__(self, part: slice) -> Floats:
        """Some samples, float32."""
        samples = self.pcm[part].astype(np.float32) / np.float32(_FULL_SCALE)
        return samples if self.gain == 1 else samples * np.float32(self.gain)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self[:].astype(dtype or np.float32, copy=False)


Samples = Floats | Waveform
"""Samples in [-1, 1), an array or one of 16 bits; both are sliced."""


def parts(samples: Samples) -> Iterator[Floats]:
    """The samples in order, a minute at once."""
    for first in range(0, len(samples), _PART):
        yield samples[first : first + _PART]


def within(samples: Samples, first: int, end: int) -> Floats:
    """Samples from ``first`` to before ``end``; zeros where there are none."""
    found = np.zeros(end - first, np.float32)
    low, high = max(first, 0), min(end, len(samples))
    if low < high:
        found[low - first : high - first] = samples[low:high]
    return found


def peak(samples: Samples) -> float:
    """Greatest absolute value; 0 where there is nothing."""
    return max((float(np.abs(part).max()) for part in parts(samples)), default=0.0)
