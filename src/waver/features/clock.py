"""The 24 fps clock of one video: which source frame is shown in each slot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from waver.datasets.video_probe import Probe, probe_video
from waver.io.worker_process import call_in_worker
from waver.shapes import FPS

_TIE_S = 1e-6
"""Frames whose distances differ by less than this are equally near: the earlier one is shown."""
HELD_S = 1.0
"""A frame is seen for this long where none follows it; a recording has at least one frame a second."""


@dataclass(frozen=True)
class FrameClock:
    """Slots of 1/24 s and the source frames that fill them.

    Attributes:
        source_frame: int32 [T], the displayed source frame of each slot, ascending, counted from 0.
        pts_s: [T], presentation time of that frame, seconds after the first.
        seen: bool [T], the frame came on screen at most ``HELD_S`` ago; False in a hole of the picture.
        audio_start_s: first audible sample, seconds after the first frame; None without audio.
        probe: what the file's packets say.
    """

    source_frame: npt.NDArray[np.int32]
    pts_s: npt.NDArray[np.float64]
    seen: npt.NDArray[np.bool_]
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
        ExcludedItem: the file cannot be opened or has no video frames.
    """
    return clock_of(call_in_worker(probe_video, path))


def clock_of(probe: Probe) -> FrameClock:
    """The clock of a probed file.

    Slot i, which covers [i/24, (i+1)/24) s, shows the last frame that came on screen by i/24; a frame that comes in
    the first half of the slot is shown where it is nearer to i/24. So a 24 fps recording is taken frame by frame
    despite rounding of the times by its container, faster ones lose frames, slower ones repeat them, and in a hole of
    the picture its last frame stays. T is the duration in slots, rounded, at least 1.
    """
    slots = max(1, round(probe.end_s * FPS))
    times = np.arange(slots) / FPS
    after = np.searchsorted(probe.pts_s, times).clip(0, len(probe.pts_s) - 1)
    before = (after - 1).clip(0)
    ahead_s = probe.pts_s[after] - times
    later_is_nearer = (ahead_s < times - probe.pts_s[before] - _TIE_S) & (ahead_s < 0.5 / FPS)
    source = np.where(later_is_nearer | (after == 0), after, before).astype(np.int32)
    pts_s = probe.pts_s[source]
    return FrameClock(source, pts_s, times - pts_s <= HELD_S, probe.audio_start_s, probe)
