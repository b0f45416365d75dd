"""A recording in windows that overlap, for networks whose attention grows with the square of its length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from waver.features.samples import RATE_HZ, Samples, parts

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of a waveform, by which it is brought to 0 and 1."""

    mean: float = 0.0
    deviation: float = 1.0

    def of(self, samples: Floats) -> Floats:
        """Samples of it, float32."""
        if self == AS_IT_IS:
            return samples
        return ((samples - np.float32(self.mean)) / np.float32(self.deviation)).astype(np.float32)


AS_IT_IS = Scale()

CHUNK_S = 20.0
"""Sound per forward pass."""
MARGIN_S = 2.0
"""Context on both sides of a chunk that is encoded and discarded, so that chunk borders have no effect."""


def in_windows(
    samples: Samples, config: Any, forward: Callable[[Floats], Sequence[Floats]], scale: Scale = AS_IT_IS
) -> Iterator[tuple[npt.NDArray[np.int64], list[Floats]]]:
    """States of a recording, chunk by chunk, as if it had been encoded at once.

    Args:
        samples: [S], 16 kHz.
        config: of the network, with the kernels and strides of its convolutions.
        forward: samples to arrays [R, ...], one row per state.
        scale: of the samples, as the network wants them.

    Yields:
        The first sample that each state hears, and the arrays.
    """
    step, reach = timing(config)
    # chunks begin on a multiple of the step, so that their states fall on one grid
    chunk = round(CHUNK_S * RATE_HZ) // step * step
    margin = round(MARGIN_S * RATE_HZ) // step * step
    for start in range(0, max(len(samples), 1), chunk):
        first = max(0, start - margin)
        heard = scale.of(samples[first : start + chunk + margin].astype(np.float32))
        if len(heard) < reach:
            heard = np.pad(heard, (0, reach - len(heard)))
        arrays = forward(heard)
        at = first + np.arange(len(arrays[0])) * step
        kept = (at >= start) & (at < start + chunk)
        if start and not kept.any():
            continue
        yield at[kept], [array[kept] for array in arrays]


def timing(config: Any) -> tuple[int, int]:
    """Samples from one state to the next, and samples that one hears before the transformer."""
    step, reach = 1, 1
    for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
        reach += (kernel - 1) * step
        step *= stride
    return step, reach


def scale_of(samples: Samples) -> Scale:
    """What brings a waveform to mean 0 and variance 1, as some networks of speech want it."""
    count = max(len(samples), 1)
    mean = sum(float(part.sum(dtype=np.float64)) for part in parts(samples)) / count
    variance = sum(float(((part - mean) ** 2).sum(dtype=np.float64)) for part in parts(samples)) / count
    return Scale(mean, float(np.sqrt(variance + 1e-7)))


def scaled(samples: Floats) -> Floats:
    """A short waveform of mean 0 and variance 1."""
    found: Floats = ((samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)).astype(np.float32)
    return found
