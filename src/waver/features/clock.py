"""The 24 fps clock of one video: which source frame is shown in each slot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from waver.data.probe import Probe, probe_video
from waver.shapes import FPS

_TIE_S = 1e-6
"""Two frames this near to equally near count as equally near: the earlier one is shown."""


@dataclass(frozen=True)
class FrameClock:
    """Slots of 1/24 s and the source frames that fill them.

    Attributes:
        source_frame: int32 [T], the displayed source frame of each slot, ascending, counted from 0.
        pts_s: [T], presentation time of that frame, seconds after the first.
        audio_start_s: first audible sample, seconds after the first frame; None without audio.
        probe: what the file's packets say.
    """

    source_frame: npt.NDArray[np.int32]
    pts_s: npt.NDArray[np.float64]
    audio_start_s: float | None
    probe: Probe

    @property
    def frames(self) -> int:
        """T, the number of slots."""
        return len(self.source_frame)

    @property
    def needed(self) -> npt.NDArray[np.int32]:
        """Source frames that are shown at all, each once, ascending."""
        return np.unique(self.source_frame)


def frame_clock(path: str | Path) -> FrameClock:
    """The clock of a video file.

    Raises:
        SetAside: the file cannot be opened or has no video frames.
    """
    return clock_of(probe_video(path))


def clock_of(probe: Probe) -> FrameClock:
    """The clock of a probed file: slot i shows the frame whose time is nearest to i/24.

    A 24 fps recording is taken frame by frame, whatever its container does to the last digits of
    its times; others lose or repeat frames. T is the duration in slots, rounded, at least 1.
    """
    slots = max(1, round(probe.end_s * FPS))
    times = np.arange(slots) / FPS
    after = np.searchsorted(probe.pts_s, times).clip(0, len(probe.pts_s) - 1)
    before = (after - 1).clip(0)
    later_is_nearer = probe.pts_s[after] - times < times - probe.pts_s[before] - _TIE_S
    source = np.where(later_is_nearer | (after == 0), after, before).astype(np.int32)
    return FrameClock(source, probe.pts_s[source], probe.audio_start_s, probe)
