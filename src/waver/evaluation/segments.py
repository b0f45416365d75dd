"""Scores of segments: whether a method finds each stretch of A/H once, and where it begins.

A segment is a run of positive frames within a video: of the labels, or of a prediction (probability above .5, as
everywhere). A predicted and a true segment match where their intersection over union (IoU) reaches a limit, each at
most once: the segment F1 of temporal action segmentation (Lea et al. 2017, section 4.1), with the largest possible
number of matches instead of the first ones found. Segments need their whole video, so only videos count whose frames
are all predicted; of protocols that score single frames or blocks the scores are nan.

Everything is a sum over participants, so that the bootstrap weighs one row of counts for each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from waver.evaluation.labels import Truth
from waver.evaluation.predictions import Predicted
from waver.io.zarr_store import Array
from waver.shapes import FPS

OVERLAPS = (0.1, 0.2, 0.3, 0.4, 0.5)
"""Least IoU of a match."""
SEGMENT_F1 = tuple(f"segment_F1_{round(100 * overlap)}" for overlap in OVERLAPS)
ONSET_ERROR, FALSE_ALARMS = "onset_error_s", "false_alarms_per_min"
SEGMENT_METRICS = (*SEGMENT_F1, ONSET_ERROR, FALSE_ALARMS)
"""Scores by name: segment F1 at each overlap; mean distance of the onsets of segments that match at the least overlap,
seconds; predicted segments that match none at the least overlap, per minute of video."""

_TRUE, _PREDICTED, _FRAMES, _ONSETS = range(4)
_MATCHED = 4
"""Columns of counts: true and predicted segments, frames, sum of onset errors in frames; from here on matches at each
overlap."""
COLUMNS = _MATCHED + len(OVERLAPS)


class Runs(NamedTuple):
    """Segments of videos laid end to end, in order: first positions and positions after the last, int64 [n] each."""

    start: Array
    end: Array


def runs_of(positive: npt.NDArray[np.bool_], video: Array) -> Runs:
    """Runs of positive frames.

    Args:
        positive: bool [N], the frames of all videos.
        video: int [N], number of the video of each frame; a run ends with its video.
    """
    if not len(positive):
        return Runs(np.zeros(0, np.int64), np.zeros(0, np.int64))
    changed = (positive[1:] != positive[:-1]) | (video[1:] != video[:-1])
    start = np.flatnonzero(np.concatenate([[True], changed]))
    end = np.append(start[1:], len(positive))
    kept = positive[start]
    return Runs(start[kept], end[kept])


def overlaps(true: Runs, predicted: Runs) -> tuple[Array, Array, Array]:
    """Pairs of segments with a common frame, in order: number of the true and of the predicted one, IoU float64."""
    first = np.searchsorted(predicted.end, true.start, side="right")
    count = np.maximum(np.searchsorted(predicted.start, true.end, side="left") - first, 0)
    one = np.repeat(np.arange(len(true.start)), count)
    other = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    common = np.minimum(true.end[one], predicted.end[other]) - np.maximum(true.start[one], predicted.start[other])
    union = (true.end - true.start)[one] + (predicted.end - predicted.start)[other] - common
    return one, other, common / np.maximum(union, 1)


def matches(one: Array, other: Array) -> Array:
    """A largest set of pairs in which each segment is at most once; bool [n].

    Args:
        one: number of the true segment of each pair, as ``overlaps`` gives them.
        other: number of the predicted segment.

    Pairs that share a segment with the first pair all share the same one, for segments of either side do not overlap
    each other: so the first pair is in a largest set, and so is the first of what is left without its segments.
    """
    chosen = np.zeros(len(one), bool)
    taken = [np.zeros(side.max(initial=-1) + 1, bool) for side in (one, other)]
    left = np.arange(len(one))
    while len(left):
        t, p = one[left], other[left]
        first = np.append(True, t[1:] != t[:-1]) & np.append(True, p[1:] != p[:-1])
        chosen[left[first]] = True
        taken[0][t[first]] = taken[1][p[first]] = True
        left = left[~(taken[0][t] | taken[1][p])]
    return chosen


def segment_counts(truth: Truth, predicted: Predicted, people: Array) -> Array:
    """Counts of each participant's videos that are predicted whole.

    Args:
        truth: labels of frames.
        predicted: a method's frames.
        people: numbers of the participants, sorted.

    Returns:
        float64 [S, COLUMNS].
    """
    video, whole = _videos(truth, predicted)
    number = np.full(len(truth.people), -1)
    number[people] = np.arange(len(people))
    kept = whole[video] & (number[truth.participant[predicted.item]] >= 0)
    item, video = predicted.item[kept], video[kept]
    who = number[truth.participant[item]]
    positive = predicted.probability[kept] > 0.5
    runs = runs_of(truth.label[item] > 0, video), runs_of(positive, video)
    return counted(*runs, who, len(people))


def scores_segments(truth: Truth, predicted: Predicted) -> bool:
    """Whether a method predicts any video whole, frame by frame."""
    return truth.level == "frame" and bool(_videos(truth, predicted)[1].any())


def _videos(truth: Truth, predicted: Predicted) -> tuple[Array, Array]:
    """Number of the video of each item, int64 [n], and which videos are predicted whole, bool [videos]."""
    starts = np.array(list(truth.start.values()), np.int64)
    lengths = np.array(list(truth.length.values()), np.int64)
    kept = np.flatnonzero(lengths > 0)
    kept = kept[np.argsort(starts[kept])]
    video = np.searchsorted(starts[kept], predicted.item, side="right") - 1
    return video, np.bincount(video, minlength=len(kept)) == lengths[kept]


def counted(true: Runs, found: Runs, who: Array, people: int) -> Array:
    """Counts of true and predicted segments of N frames laid end to end.

    Args:
        true: segments of the labels.
        found: predicted segments.
        who: int [N], number of the participant of each frame, below ``people``.
        people: S.

    Returns:
        float64 [S, COLUMNS].
    """
    one, other, iou = overlaps(true, found)
    counts = np.zeros((people, COLUMNS))
    counts[:, _TRUE] = np.bincount(who[true.start], minlength=people)
    counts[:, _PREDICTED] = np.bincount(who[found.start], minlength=people)
    counts[:, _FRAMES] = np.bincount(who, minlength=people)
    for place, overlap in enumerate(OVERLAPS):
        near = np.flatnonzero(iou >= overlap)
        near = near[matches(one[near], other[near])]
        owner = who[true.start[one[near]]]
        counts[:, _MATCHED + place] = np.bincount(owner, minlength=people)
        if place == 0:
            apart = np.abs(true.start[one[near]] - found.start[other[near]]).astype(np.float64)
            counts[:, _ONSETS] = np.bincount(owner, apart, minlength=people)
    return counts


def segment_scores(counts: Array) -> dict[str, Array]:
    """SEGMENT_METRICS of counts [..., COLUMNS]; [...] each.

    F1 is 0 where there is no segment at all, as F1 of frames is; the onset error is nan where nothing matches, and all
    are nan without frames.
    """
    frames = counts[..., _FRAMES]
    matched = counts[..., _MATCHED:]
    either = counts[..., _TRUE] + counts[..., _PREDICTED]
    known = np.where(frames > 0, 0.0, np.nan)
    f1 = [2 * part / np.maximum(either, 1) + known for part in np.moveaxis(matched, -1, 0)]
    alarms = (counts[..., _PREDICTED] - matched[..., 0]) / np.maximum(frames / FPS / 60, 1e-12) + known
    any_match = matched[..., 0] > 0
    onset = np.where(any_match, counts[..., _ONSETS] / np.maximum(matched[..., 0], 1e-12) / FPS, np.nan)
    return {**dict(zip(SEGMENT_F1, f1, strict=True)), ONSET_ERROR: onset, FALSE_ALARMS: alarms}


def who_with(counts: Array) -> Mapping[str, Array]:
    """Which people each of SEGMENT_METRICS rests on, bool [S]: those with a match for the onset error."""
    return {**dict.fromkeys(SEGMENT_METRICS, counts[:, _FRAMES] > 0), ONSET_ERROR: counts[:, _MATCHED] > 0}


def video_counts(label: Array, probability: Array, video: Array) -> Array:
    """Counts [COLUMNS] of some videos' frames laid end to end, all of one person or pooled.

    Args:
        label: [N], 0 or 1.
        probability: float [N].
        video: int [N], number of the video of each frame, ascending.
    """
    runs = runs_of(label > 0.5, video), runs_of(probability > 0.5, video)
    counts: Array = counted(*runs, np.zeros(len(label), np.int64), 1)[0]
    return counts
