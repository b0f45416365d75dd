"""Windows of frames that are shown to a model, and what it says of them as a score of each frame.

All frames are numbered on the 24 fps clock of the stores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from waver.errors import WaverError

Sampling = Literal["linspace", "arange"]
Integers = npt.NDArray[np.int32]
Doubles = npt.NDArray[np.float64]

WINDOWS = (8, 24, 48, 80, 120, 192)
"""Lengths of the papers' context windows, frames: 1/3 s to 8 s (dataset paper, Table 20)."""


@dataclass(frozen=True)
class Window:
    """Frames ``start_frame`` to ``end_frame`` (exclusive) of a video, and those of them that are shown.

    Attributes:
        frames: int32 [n], ascending; repeated where the window has fewer.
    """

    start_frame: int
    end_frame: int
    frames: Integers

    @property
    def length(self) -> int:
        """Frames that get the window's score."""
        return self.end_frame - self.start_frame


def whole_video(frames: int, shown: int = 8, sampling: Sampling = "linspace") -> Window:
    """A video of T frames as one window."""
    return Window(0, frames, sampled(frames, shown, sampling))


def windows(
    frames: int, length: int, stride: int | None = None, shown: int = 8, sampling: Sampling = "linspace"
) -> list[Window]:
    """A video of T frames in windows, the last of which may be shorter.

    Of a window that has fewer frames than are shown, the last one is repeated.

    Args:
        frames: T, at least 1.
        length: W, frames of a window.
        stride: frames from a window's start to the next one's, 1 to W; None: W, so that each frame is in one window.
        shown: n, frames of a window that are shown.
        sampling: how they are chosen.

    Raises:
        WaverError: the stride leaves frames out.
    """
    step = length if stride is None else stride
    if not 1 <= step <= length:
        raise WaverError(f"a stride of {step} frames does not fit windows of {length}; give 1 to {length}")
    last = max(frames - length, 0)
    starts = range(0, last + step, step)
    return [_window(start, min(start + length, frames), shown, sampling) for start in starts if start < frames]


def _window(start: int, end: int, shown: int, sampling: Sampling) -> Window:
    inside = (
        np.arange(shown).clip(max=end - start - 1) if end - start < shown else sampled(end - start, shown, sampling)
    )
    return Window(start, end, (start + inside).astype(np.int32))


def sampled(frames: int, shown: int, sampling: Sampling = "linspace") -> Integers:
    """Numbers of n of T frames, int32 [n].

    ``linspace`` is the released program's, from the first frame to the last; ``arange`` that of the model's card, which
    stops a step before the end.
    """
    if sampling == "linspace":
        return np.linspace(0, frames - 1, shown).astype(np.int32)
    return (np.arange(shown) * (frames / shown)).astype(np.int32)


def frame_margins(cut: Sequence[Window], margins: Doubles, frames: int) -> Doubles:
    """Margin of every frame, float64 [T], from those of the windows [k].

    A frame of one window has that window's margin; of several, the logit of the mean of their probabilities.

    Args:
        cut: windows that together hold every frame.
        margins: logit of A/H minus logit of none.
        frames: T.
    """
    count = np.zeros(frames)
    yes, no = np.full(frames, -np.inf), np.full(frames, -np.inf)  # log of the summed probabilities of either answer
    for window, margin in zip(cut, margins, strict=True):
        part = slice(window.start_frame, window.end_frame)
        count[part] += 1
        yes[part] = np.logaddexp(yes[part], -np.logaddexp(0, -margin))
        no[part] = np.logaddexp(no[part], -np.logaddexp(0, margin))
    assert count.all()
    found: Doubles = yes - no
    for window, margin in zip(cut, margins, strict=True):
        alone = np.flatnonzero(count[window.start_frame : window.end_frame] == 1) + window.start_frame
        found[alone] = margin  # exactly, without the rounding of two logarithms
    return found
