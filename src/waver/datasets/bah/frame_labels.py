"""Which source frames of a video show A/H, from the best of what a release says about them.

In this order: the frame annotation, the frame-level split files, the published segment tables, the
annotated intervals in frames, the annotated intervals in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from waver.datasets.bah.annotation import Annotation
from waver.datasets.bah.frame_lists import Labels
from waver.datasets.bah.released_values import MEND, Interval
from waver.datasets.bah.splits import DROPPED_RUN_FRAMES
from waver.errors import ExcludedItem
from waver.shapes import FPS

_SAME_FRAMES = 2
"""By so many frames, lists of one grid differ at most."""
_ROUNDING = 1e-3
"""Of a slot; times are rounded to the file's own clock."""


@dataclass(frozen=True)
class FrameSources:
    """Frame labels from beside the annotation file, by key of the video."""

    frame_splits: Mapping[str, Labels] = field(default_factory=dict)
    segments: Mapping[str, tuple[list[Interval], int]] = field(default_factory=dict)


def frame_truth(
    key: str,
    annotation: Annotation | None,
    sources: FrameSources,
    frames: int | None,
    times_s: Callable[[], npt.NDArray[np.float64]],
    label: int | None = None,
) -> Labels | None:
    """Label of each annotated source frame of a video.

    Args:
        key: key of the video (``VideoName.key``).
        annotation: its entry in the annotation file, on the grid of the video (``on_frames_of``).
        sources: what lies beside it.
        frames: frames in the video file; None where there is no file.
        times_s: gives the presentation times of the frames; asked for where only seconds are known.
        label: of the video, where another file gives it.

    Returns:
        uint8 [annotated frames], or None where nothing tells.

    Raises:
        ExcludedItem: no interval has a frame of the video.
    """
    if annotation is not None and annotation.labels is not None:
        return annotation.labels
    if key in sources.frame_splits:
        return _on_grid(sources.frame_splits[key], frames, times_s)
    if key in sources.segments:
        return _on_grid(_from_table(*sources.segments[key], frames), frames, times_s)
    if annotation is None or _contradicts(annotation, label):
        return None
    if annotation.intervals is not None:
        length = max([end for _, end in annotation.intervals], default=0) if frames is None else frames
        return _filled(annotation.intervals, length)
    if annotation.times is not None and frames is not None:
        return _filled_by_time(annotation.times, times_s(), frames)
    return None


def only_in_seconds(key: str, annotation: Annotation, sources: FrameSources) -> bool:
    """Whether nothing but intervals in seconds says where a video shows A/H; arguments as of ``frame_truth``."""
    elsewhere = annotation.labels is not None or key in sources.frame_splits or key in sources.segments
    return annotation.times is not None and annotation.intervals is None and not elsewhere


def on_frames_of(
    annotation: Annotation, frames: int | None, times_s: Callable[[], npt.NDArray[np.float64]]
) -> Annotation:
    """The annotation with labels and intervals in frames of the video, where it was made on the grid of 24 fps.

    Frame labels are on that grid where there are as many as the video's length has, and not as many as the video has
    frames; intervals in frames, where those in seconds, which must be given as well, say so.

    Args:
        annotation: as released.
        frames: frames in the video file; None where there is no file.
        times_s: gives the presentation times of the frames.
    """
    if frames is None:
        return annotation
    if annotation.labels is not None:
        labels = _on_grid(annotation.labels, frames, times_s)
        if labels is annotation.labels:
            return annotation
        return replace(annotation, labels=labels, intervals=_shown(annotation.intervals, times_s))
    if annotation.intervals and annotation.times and len(annotation.intervals) == len(annotation.times):
        given = np.array(annotation.intervals, np.float64)
        own = np.array(_frames_shown(annotation.times, times_s()), np.float64)
        grid = np.array(annotation.times, np.float64) * FPS
        if np.abs(given - own).max() > _SAME_FRAMES >= np.abs(given - grid).max():
            return replace(annotation, intervals=_shown(annotation.intervals, times_s))
    return annotation


def _on_grid(labels: Labels, frames: int | None, times_s: Callable[[], npt.NDArray[np.float64]]) -> Labels:
    """One label a source frame: of a list on the grid of 24 fps, that of the slot in which the frame starts."""
    if frames is None or not len(labels) or abs(len(labels) - frames) <= _SAME_FRAMES:
        return labels
    pts_s = times_s()
    end_s = pts_s[-1] + (pts_s[-1] - pts_s[0]) / max(len(pts_s) - 1, 1)
    if abs(len(labels) - end_s * FPS) > _SAME_FRAMES:
        return labels
    slot = np.floor(pts_s * FPS + _ROUNDING).astype(np.int64)
    on_frames: Labels = labels[np.clip(slot, 0, len(labels) - 1)]
    return on_frames


def _shown(
    intervals: Sequence[Interval] | None, times_s: Callable[[], npt.NDArray[np.float64]]
) -> tuple[Interval, ...] | None:
    """Intervals on the grid of 24 fps in source frames."""
    if intervals is None:
        return None
    spans = [(start / FPS, end / FPS) for start, end in intervals]
    return tuple(_frames_shown(spans, times_s() + _ROUNDING / FPS))


def _contradicts(annotation: Annotation, label: int | None) -> bool:
    """The video is said to show A/H, but no interval says where."""
    return 1 in (annotation.label, label) and not annotation.intervals and not annotation.times


def _from_table(intervals: Sequence[Interval], covered: int, frames: int | None) -> Labels:
    # a short last run without A/H is missing from the table, not from the video
    whole = frames is not None and 0 <= frames - covered < DROPPED_RUN_FRAMES
    return fill(intervals, frames if whole and frames is not None else covered)


def _frames_shown(times: Sequence[tuple[float, float]], pts_s: npt.NDArray[np.float64]) -> list[Interval]:
    """Frames that start within the times, half open."""
    return [(int(np.searchsorted(pts_s, start)), int(np.searchsorted(pts_s, end))) for start, end in times]


def _filled_by_time(times: Sequence[tuple[float, float]], pts_s: npt.NDArray[np.float64], frames: int) -> Labels:
    """``fill`` of intervals in seconds, which may lie in a hole of the picture.

    Raises:
        ExcludedItem: none has a frame or a time of the clock.
    """
    slots = [(math.ceil(start * FPS), math.ceil(end * FPS)) for start, end in times if start <= pts_s[-1]]
    shown = _frames_shown(times, pts_s)
    return fill(shown, frames) if any(start < end for start, end in slots) else _filled(shown, frames)


def _filled(intervals: Sequence[Interval], frames: int) -> Labels:
    """``fill`` for what must show in the labels.

    Raises:
        ExcludedItem: none has a frame.
    """
    labels = fill(intervals, frames)
    if intervals and not labels.any():
        raise ExcludedItem("no interval of its annotation has a frame of the video", MEND)
    return labels


def fill(intervals: Sequence[Interval], frames: int) -> Labels:
    """uint8 [frames]: 1 inside the half-open intervals, 0 elsewhere; in time linear in both."""
    bounds = np.array(intervals, np.int64).reshape(-1, 2).clip(0, frames)
    bounds = bounds[bounds[:, 0] < bounds[:, 1]]
    begun, ended = (np.bincount(bounds[:, side], minlength=frames + 1) for side in (0, 1))
    labels: Labels = (np.cumsum(begun - ended)[:frames] > 0).astype(np.uint8)
    return labels
