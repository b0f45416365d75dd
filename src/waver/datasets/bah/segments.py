"""A/H segments of a video: runs of positive frames, with certainty and cues of the annotator."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from waver.datasets.bah.annotation import Annotation
from waver.datasets.bah.frame_lists import Labels
from waver.datasets.bah.released_values import Interval, number_in
from waver.datasets.codebook import MOST_CERTAINTY, decode
from waver.datasets.exclusions import Row

_LONGEST_CUES = 10_000


def runs(labels: Labels) -> list[Interval]:
    """Half-open intervals of frames with label 1.

    Args:
        labels: uint8 [F].
    """
    edges = np.diff(np.concatenate([[0], labels.astype(np.int8), [0]]))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]


def segment_rows(video: str, segments: Sequence[Interval], annotation: Annotation | None) -> list[Row]:
    """Rows of the segments table.

    Certainties and cues belong to the annotated intervals where there are as many of them; a segment
    takes those of the interval it shares most frames with. Where the numbers differ, nobody can tell
    which belongs to what, and the segment has none.

    Args:
        video: video id.
        segments: half-open intervals of source frames.
        annotation: what the annotators said, if anything.
    """
    intervals = (annotation and annotation.intervals) or tuple(segments)
    bounds = np.array(intervals, np.int64).reshape(-1, 2)
    certainty = _fitting(annotation.certainty if annotation else (), intervals)
    cues = _fitting(annotation.cues if annotation else (), intervals)
    rows = []
    for number, (start, end) in enumerate(segments):
        nearest = _most_shared((start, end), bounds)
        said = cues[nearest] if cues and nearest is not None else None
        rows.append(
            {
                "video": video,
                "segment": number,
                "start_frame": start,
                "end_frame": end,
                "certainty": _integer(certainty[nearest]) if certainty and nearest is not None else None,
                "cues": _cues(said),
                "cue_names": decode(said) if isinstance(said, Mapping) else None,
            }
        )
    return rows


def timed_rows(
    video: str, times: Sequence[tuple[float, float]], pts_s: npt.NDArray[np.float64], annotation: Annotation
) -> list[Row]:
    """Rows of segments that are given in seconds: where they meet, they are one.

    Args:
        video: video id.
        times: half-open intervals, seconds.
        pts_s: presentation times of the frames, seconds.
        annotation: as of ``segment_rows``.
    """
    joined: list[tuple[float, float]] = []
    for start_s, end_s in sorted(one for one in times if one[0] < one[1] and one[0] <= pts_s[-1]):
        if joined and start_s <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end_s, joined[-1][1])
        else:
            joined.append((start_s, end_s))
    given, asked = ([(round(1e3 * start), round(1e3 * end)) for start, end in spans] for spans in (times, joined))
    rows = segment_rows(video, asked, replace(annotation, intervals=tuple(given)))
    for row, (start_s, end_s) in zip(rows, joined, strict=True):
        first, last = np.searchsorted(pts_s, (start_s, end_s)).tolist()
        row |= {"start_frame": first, "end_frame": last, "start_s": start_s, "end_s": end_s}
    return rows


def _fitting(values: Sequence[Any], intervals: Sequence[Interval]) -> Sequence[Any]:
    return values if len(values) == len(intervals) else ()


def _most_shared(segment: Interval, intervals: npt.NDArray[np.int64]) -> int | None:
    """Which of the intervals [I, 2] shares most frames with a segment; None where none shares any."""
    if not len(intervals):
        return None
    shared = np.minimum(segment[1], intervals[:, 1]) - np.maximum(segment[0], intervals[:, 0])
    best = int(np.argmax(shared))
    return best if shared[best] > 0 else None


def _integer(value: Any) -> int | None:
    try:
        return number_in(value, 0, MOST_CERTAINTY)
    except ValueError:
        return None


def _cues(value: Any) -> str | None:
    if not isinstance(value, Mapping):
        return None
    said = {str(channel): cue for channel, cue in value.items() if cue not in (None, "", [])}
    try:
        text = json.dumps(said, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):  # keys of several kinds, or no text
        return None
    return text if said and len(text) <= _LONGEST_CUES else None
