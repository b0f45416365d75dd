"""A recording in windows that overlap, for networks whose attention grows with the square of its length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from waver.features.waveform import RATE_HZ

Floats = npt.NDArray[np.float32]

CHUNK_S = 20.0
"""Sound per forward pass."""
MARGIN_S = 2.0
"""Context on both sides of a chunk that is encoded and discarded, so that chunk borders have no effect."""


def in_windows(
    samples: Floats, config: Any, forward: Callable[[Floats], Sequence[Floats]]
) -> Iterator[tuple[npt.NDArray[np.int64], list[Floats]]]:
    """States of a recording, chunk by chunk, as if it had been encoded at once.

    Args:
        samples: float32 [S], 16 kHz, scaled as the network wants it.
        config: of the network, with the kernels and strides of its convolutions.
        forward: samples to arrays [R, ...], one row per state.

    Yields:
        The first sample that each state hears, and the arrays.
    """
    step, reach = timing(config)
    # chunks begin on a multiple of the step, so that their states fall on one grid
    chunk = round(CHUNK_S * RATE_HZ) // step * step
    margin = round(MARGIN_S * RATE_HZ) // step * step
    for start in range(0, max(len(samples), 1), chunk):
        first = max(0, start - margin)
        heard = samples[first : start + chunk + margin]
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


def scaled(samples: Floats) -> Floats:
    """A waveform of mean 0 and variance 1, as some networks of speech want it."""
    found: Floats = ((samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)).astype(np.float32)
    return found
