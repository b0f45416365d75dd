"""How loud a recording is, and where a long one can be parted: in the quietest moment, ten minutes after the last."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from waver.features.samples import RATE_HZ, Floats, Samples, Waveform, parts, peak

_QUIET_DB, _RAISED_DB, _SILENT_DB = -35.0, -22.0, -75.0
"""Levels of the loud parts, dB below full scale: quiet below the first, and raised to the second; silent."""
WINDOW_S = 0.1
_WINDOW, _LOUD = round(WINDOW_S * RATE_HZ), 0.95  # samples; share of the windows
STRETCH_S = 600
"""A recording is listened to in stretches of this length: a recogniser takes 50 MB of memory a minute."""
_SOUGHT_S, _PAUSE = 30, 5
"""The last seconds of a stretch in which its end is sought, and the windows of a pause."""


def is_silent(samples: Samples) -> bool:
    """Whether no window of 0.1 s is louder than the noise of a microphone that is off."""
    return not bool((levels_db(samples) >= _SILENT_DB).any())


def levelled(samples: Samples) -> Samples:
    """A quiet sound raised to the level of speech, as far as its peak allows; the same one where it is not quiet.

    Its level is that of the windows of 0.1 s which 95 % of those that are not silent do not exceed.
    """
    levels = levels_db(samples)
    if not (levels >= _SILENT_DB).any():
        return samples
    level = float(np.quantile(levels[levels >= _SILENT_DB], _LOUD))
    gain = min(10 ** ((_RAISED_DB - level) / 20), 0.99 / peak(samples))
    if level >= _QUIET_DB or gain <= 1:
        return samples
    return Waveform(samples.pcm, gain) if isinstance(samples, Waveform) else samples * np.float32(gain)


def stretches(samples: Samples) -> Iterator[tuple[int, int]]:
    """First sample of each stretch of a recording, and the one after its last; a short recording is one stretch."""
    first, longest, sought = 0, STRETCH_S * RATE_HZ, _SOUGHT_S * RATE_HZ
    while len(samples) - first > longest:
        start = first + longest - sought
        levels = levels_db(samples[start : start + sought])
        pauses = np.convolve(levels, np.ones(_PAUSE), "valid")
        end = start + (int(pauses.argmin()) * 2 + _PAUSE) * _WINDOW // 2
        yield first, end
        first = end
    yield first, len(samples)


def levels_db(samples: Samples) -> npt.NDArray[np.float64]:
    """Level of each window of ``WINDOW_S``, dB below full scale."""
    found = [_of_windows(part) for part in parts(samples)]  # whole windows
    return np.concatenate(found) if found else np.zeros(0)


def _of_windows(samples: Floats) -> npt.NDArray[np.float64]:
    padded = np.append(samples, np.zeros(-len(samples) % _WINDOW, np.float32)).reshape(-1, _WINDOW)
    found: npt.NDArray[np.float64] = 10 * np.log10(np.maximum(np.mean(padded.astype(np.float64) ** 2, axis=1), 1e-30))
    return found
