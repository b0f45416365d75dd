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

    Certainties and cues belong to the annotated intervals where there are as many of them. A segment takes the
    certainty of the interval that it shares most frames with, and the cues of that one and of every other that lies
    mostly in it. All cues of a video belong to its only interval. Where else the numbers differ, nobody can tell which
    belongs to what, and the segment has none.

    Args:
        video: video id.
        segments: half-open intervals of source frames.
        annotation: what the annotators said, if anything.
    """
    intervals = (annotation and annotation.intervals) or tuple(segments)
    bounds = np.array(intervals, np.int64).reshape(-1, 2)
    certainty = _fitting(annotation.certainty if annotation else (), intervals)
    given = annotation.cues if annotation else ()
    cues = _fitting([_together(given)] if len(intervals) == 1 else given, intervals)
    rows = []
    for number, (start, end) in enumerate(segments):
        shared = _shared((start, end), bounds)
        nearest = int(np.argmax(shared)) if shared.any() else None
        own = np.flatnonzero(2 * shared > bounds[:, 1] - bounds[:, 0]).tolist()
        said = _together([cues[one] for one in sorted({*own, nearest})]) if cues and nearest is not None else None
        rows.append(
            {
                "video": video,
                "segment": number,
                "start_frame": start,
                "end_frame": end,
                "certainty": _integer(certainty[nearest]) if certainty and nearest is not None else None,
                "cues": _cues(said),
                "cue_names": decode(said),
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
    given, merged = ([(round(1e3 * start), round(1e3 * end)) for start, end in spans] for spans in (times, joined))
    rows = segment_rows(video, merged, replace(annotation, intervals=tuple(given)))
    for row, (start_s, end_s) in zip(rows, joined, strict=True):
        first, last = np.searchsorted(pts_s, (start_s, end_s)).tolist()
        row |= {"start_frame": first, "end_frame": last, "start_s": start_s, "end_s": end_s}
    return rows


def _fitting(values: Sequence[Any], intervals: Sequence[Interval]) -> Sequence[Any]:
    return values if len(values) == len(intervals) else ()


def _shared(segment: Interval, intervals: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Frames that each of the intervals [I, 2] shares with a segment, int64 [I]."""
    shared: npt.NDArray[np.int64] = np.minimum(segment[1], intervals[:, 1]) - np.maximum(segment[0], intervals[:, 0])
    return shared.clip(0)


def _together(said: Sequence[Any]) -> Mapping[Any, Any] | None:
    """What was said of several intervals, as of one; None where no cue was."""
    tables = [one for one in said if isinstance(one, Mapping)]
    if len(tables) < 2:
        return tables[0] if tables else None
    found: dict[Any, list[Any]] = {}
    for channel, cue in (item for table in tables for item in table.items()):
        if cue not in (None, "", []):
            found.setdefault(channel, []).append(cue)
    return {channel: cues[0] if len(cues) == 1 else cues for channel, cues in found.items()}


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
