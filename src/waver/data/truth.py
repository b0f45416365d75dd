"""Which source frames of a video show A/H, from the best of what a release says about them.

In this order: the frame annotation, the frame-level split files, the published segment tables, the
annotated intervals in frames, the annotated intervals in seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from waver.data.annotation import Annotation, Interval, Labels
from waver.data.splits import DROPPED_RUN_FRAMES


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
) -> Labels | None:
    """Label of each annotated source frame of a video.

    Args:
        key: key of the video (``VideoName.key``).
        annotation: its entry in the annotation file.
        sources: what lies beside it.
        frames: frames in the video file; None where there is no file.
        times_s: gives the presentation times of the frames; asked for where only seconds are known.

    Returns:
        uint8 [annotated frames], or None where nothing tells.
    """
    if annotation is not None and annotation.labels is not None:
        return annotation.labels
    if key in sources.frame_splits:
        return sources.frame_splits[key]
    if key in sources.segments:
        return _from_table(*sources.segments[key], frames)
    if annotation is None or _contradicts(annotation):
        return None
    if annotation.intervals is not None:
        length = max([end for _, end in annotation.intervals], default=0) if frames is None else frames
        return fill(annotation.intervals, length)
    if annotation.times is not None and frames is not None:
        return fill(_frames_shown(annotation.times, times_s()), frames)
    return None


def _contradicts(annotation: Annotation) -> bool:
    """The video is said to show A/H, but no interval says where."""
    return annotation.label == 1 and not annotation.intervals and not annotation.times


def _from_table(intervals: Sequence[Interval], covered: int, frames: int | None) -> Labels:
    # a short last run without A/H is missing from the table, not from the video
    whole = frames is not None and 0 <= frames - covered < DROPPED_RUN_FRAMES
    return fill(intervals, frames if whole and frames is not None else covered)


def _frames_shown(times: Sequence[tuple[float, float]], pts_s: npt.NDArray[np.float64]) -> list[Interval]:
    """Frames that start within the times, half open."""
    return [(int(np.searchsorted(pts_s, start)), int(np.searchsorted(pts_s, end))) for start, end in times]


def fill(intervals: Sequence[Interval], frames: int) -> Labels:
    """uint8 [frames]: 1 inside the half-open intervals, 0 elsewhere."""
    labels = np.zeros(frames, np.uint8)
    for start, end in intervals:
        labels[max(start, 0) : end] = 1
    return labels
