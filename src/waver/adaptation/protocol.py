"""How the frames of one target participant are split into T_tr, T_va and T_te.

``frame_random`` draws single frames, as the papers' figures demand: neighbouring frames, which look
alike, fall on both sides, so that whatever learns from T_tr profits. ``block`` deals out contiguous
stretches of time with a guard between subsets, as wide as the receptive fields of the features in use: no stretch
of a recording enters both a scored frame and one adapted on, but for what features see of a whole
sentence or video (``Guard.beyond``). ``video`` deals out whole videos, so that nothing does.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from waver.errors import ExcludedItem
from waver.provenance import seed_for
from waver.shapes import FPS

SUBSETS = ("train", "val", "test")
"""In the order of precedence: where two subsets meet, the earlier one gives up its frames."""

BLOCK_S, LEAST_BLOCK_S = 4.0, 2.0
LEAST_GUARD_S = 1.0
"""Pictures this near are similar, even if no feature depends on both."""
_BLOCK_GUARDS, _LEAST_BLOCK_GUARDS = 4, 2
_LEAST_BLOCKS = 10
_SHORT_BLOCKS = 20
_DRAWS = 512
_DROPPED = -1

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int8]


class Guard(NamedTuple):
    """What keeps the subsets of a video apart, and what crosses it all the same.

    Attributes:
        seconds: time between frames of different subsets.
        beyond: what features see however far off it is; clauses for a reader.
    """

    seconds: float = 0.0
    beyond: tuple[str, ...] = ()


class SplitCounts(NamedTuple):
    """Frames of each subset and class."""

    train_positives: int
    train_negatives: int
    val_positives: int
    val_negatives: int
    test_positives: int
    test_negatives: int


def split_counts(positives: int, negatives: int) -> SplitCounts:
    """Numbers of frames in the six cells of a 70/10/20 split (dataset paper, Table 23).

    T_te is stratified, so that it keeps the participant's class ratio. T_va is balanced as far as
    the positives go: at most half of those left are taken, and negatives fill the gap, but by no
    more than the positives left for training.
    """
    total = positives + negatives
    test_positives, test_negatives = _stratify(-(-total // 5), positives, negatives)
    each = total // 10 // 2
    left = positives - test_positives
    val_positives = min(each, _half(left))
    train_positives = left - val_positives
    val_negatives = each + min(each - val_positives, train_positives)
    # the same guard for participants who are mostly positive; the published table never needs it
    val_negatives = min(val_negatives, _half(negatives - test_negatives))
    train_negatives = negatives - test_negatives - val_negatives
    return SplitCounts(train_positives, train_negatives, val_positives, val_negatives, test_positives, test_negatives)


def _half(count: int) -> int:
    return (count + 1) // 2


def _stratify(wanted: int, positives: int, negatives: int) -> tuple[int, int]:
    total = positives + negatives
    if total == 0:
        return 0, 0
    share, rest = divmod(wanted * positives, total)
    # the two remainders add up to 0 or to one frame, which the larger remainder gets
    share += rest > 0 and 2 * rest >= total
    return share, wanted - share


def split_frames(
    label: npt.NDArray[np.uint8],
    video_of_frame: npt.NDArray[Any],
    protocol: str,
    participant: str,
    seed: int,
    guard_s: float,
    fps: float = FPS,
) -> dict[str, Ints]:
    """Split the frames of one participant, all videos pooled.

    Videos are ordered by their ids before anything is drawn, and the draw depends on the protocol,
    the participant and the seed alone: neither the order in which videos arrive nor other
    participants matter.

    Args:
        label: uint8 [N], 1 A/H; frames of a video in the order of time.
        video_of_frame: id of each frame's video, [N], any type that sorts.
        protocol: ``frame_random`` draws frames, stratified by class, in exactly the numbers of
            ``split_counts``. ``block`` deals out blocks of at least 4 s and four guards by the same
            70/10/20 quota, and drops a guard where two subsets meet within a video, out of the
            larger subset. A participant of fewer than ten such blocks gets shorter ones, a
            twentieth of the recordings each and never under 2 s and two guards; a video that is
            shorter is one block. Of 512 deals the one nearest the quota of each class is kept,
            where possible with both classes in T_te, then in T_tr, then in T_va. ``video`` deals out
            whole videos in the same way.
        participant: participant id.
        seed: protocol seed; the same for every method, so that all are scored on the same frames.
        guard_s: ``block``: at least as many seconds lie between the end of a frame and the start of the
            next one of another subset. A frame whose features look ``before_s`` back and ``after_s``
            ahead shares input with frames up to ``before_s + after_s`` away, for the earlier frame of
            a pair looks ahead and the later one back: that sum is the guard that is needed, twice the
            reach of a feature that looks as far back as ahead.
        fps: frames per second.

    Returns:
        ``train``, ``val``, ``test``: ascending int64 rows of the input, disjoint. Ascending, because
        rows grouped by class would reveal the labels.

    Raises:
        ExcludedItem: the recordings are too short for three blocks, or fewer than three.
        ValueError: unknown protocol.
    """
    order = np.argsort(video_of_frame, kind="stable")
    rng = np.random.default_rng(seed_for("protocol", protocol, participant, seed))
    label, video = np.asarray(label)[order], np.asarray(video_of_frame)[order]
    if protocol == "frame_random":
        code = _draw_frames(label, rng)
    elif protocol == "block":
        code = _deal_blocks(label, video, rng, guard_s, fps)
    elif protocol == "video":
        code = _deal_videos(label, video, rng)
    else:
        raise ValueError(f"unknown split protocol {protocol!r}")
    return {name: np.sort(order[code == number]).astype(np.int64) for number, name in enumerate(SUBSETS)}


def split_hash(split: Mapping[str, Ints]) -> str:
    """Short hash of a split, the same wherever the same rows fall into the same subsets."""
    total = hashlib.sha256()
    for name in SUBSETS:
        total.update(name.encode() + b"\0" + np.ascontiguousarray(split[name], dtype="<i8").tobytes())
    return total.hexdigest()[:16]


def _draw_frames(label: npt.NDArray[np.uint8], rng: np.random.Generator) -> Codes:
    counts = split_counts(int((label == 1).sum()), int((label == 0).sum()))
    code = np.zeros(len(label), np.int8)
    drawn = ((1, counts.test_positives, counts.val_positives), (0, counts.test_negatives, counts.val_negatives))
    for value, test, val in drawn:
        rows = rng.permutation(np.flatnonzero(label == value))
        code[rows[:test]] = 2
        code[rows[test : test + val]] = 1
    return code


def _deal_blocks(
    label: npt.NDArray[np.uint8], video: npt.NDArray[Any], rng: np.random.Generator, guard_s: float, fps: float
) -> Codes:
    guard = math.ceil(guard_s * fps - 1e-6)  # 1e-6: digits lost in seconds
    lengths = np.unique(video, return_counts=True)[1]
    start, end, joined = _blocks(lengths, guard, fps)
    if len(start) < 3:
        raise ExcludedItem(
            f"its {len(label) / fps:.1f} s of video give {len(start)} blocks of time with guards of {guard_s:.1f} s, "
            "the block split needs 3",
            "use the protocol frame_random for such short recordings",
        )
    return _deal(label, start, end, joined, guard, rng)


def _deal_videos(label: npt.NDArray[np.uint8], video: npt.NDArray[Any], rng: np.random.Generator) -> Codes:
    end = np.cumsum(np.unique(video, return_counts=True)[1])
    if len(end) < 3:
        raise ExcludedItem(f"the video split needs 3 videos, it has {len(end)}", "use the protocol block")
    return _deal(label, np.concatenate([[0], end[:-1]]), end, np.zeros(len(end), bool), 0, rng)


def _deal(
    label: npt.NDArray[np.uint8],
    start: Ints,
    end: Ints,
    joined: npt.NDArray[np.bool_],
    guard: int,
    rng: np.random.Generator,
) -> Codes:
    """The best deal of the blocks, without what the guards take; subset of each frame."""
    deals = _deals(end - start, rng)
    low, high = _trims(deals, joined)
    positives = np.concatenate([[0], np.cumsum(label == 1)])
    kept_start = np.minimum(start + guard * low, end)
    kept_end = np.maximum(end - guard * high, kept_start)
    ones = positives[kept_end] - positives[kept_start]
    best = _nearest(deals, np.stack([kept_end - kept_start - ones, ones], axis=-1), label)
    code = np.full(len(label), _DROPPED, np.int8)
    for first, last, subset in zip(kept_start[best], kept_end[best], deals[best], strict=True):
        code[first:last] = subset
    return code


def _blocks(lengths: Ints, guard: int, fps: float) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
    """Start and end row of every block, and whether it continues the block before it.

    A block that meets another is at least two guards long, so that no guard reaches past it.
    """
    size = max(BLOCK_S * fps, _BLOCK_GUARDS * guard)
    if (lengths // size).sum() < _LEAST_BLOCKS:
        least = max(LEAST_BLOCK_S * fps, _LEAST_BLOCK_GUARDS * guard)
        size = min(size, max(least, lengths.sum() / _SHORT_BLOCKS))
    starts, ends, joined = [], [], []
    for offset, length in zip(np.cumsum(lengths) - lengths, lengths, strict=True):
        edges = offset + np.linspace(0, length, max(1, int(length // size)) + 1).round().astype(np.int64)
        starts.append(edges[:-1])
        ends.append(edges[1:])
        joined.append(np.arange(len(edges) - 1) > 0)
    return np.concatenate(starts), np.concatenate(ends), np.concatenate(joined)


def _deals(sizes: Ints, rng: np.random.Generator) -> Codes:
    """Random deals of blocks to subsets, int8 [deals, blocks], each near 20 % test and 10 % val."""
    order = rng.permuted(np.tile(np.arange(len(sizes)), (_DRAWS, 1)), axis=1)
    middle = np.cumsum(sizes[order], axis=1) - sizes[order] / 2
    test = middle <= 0.2 * sizes.sum()
    test[:, 0] = True
    val = (middle <= 0.3 * sizes.sum()) & ~test
    val[np.arange(_DRAWS), test.sum(axis=1).clip(max=len(sizes) - 1)] = True
    deals = np.empty(order.shape, np.int8)
    np.put_along_axis(deals, order, np.where(test, 2, np.where(val, 1, 0)).astype(np.int8), axis=1)
    return deals


def _trims(deals: Codes, joined: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Whether a block loses its beginning and its end to a neighbour that comes later in SUBSETS."""
    low, high = np.zeros(deals.shape, bool), np.zeros(deals.shape, bool)
    low[:, 1:] = joined[1:] & (deals[:, :-1] > deals[:, 1:])
    high[:, :-1] = joined[1:] & (deals[:, 1:] > deals[:, :-1])
    return low, high


def _nearest(deals: Codes, kept: Ints, label: npt.NDArray[np.uint8]) -> int:
    """Row of the deal whose cells lie nearest the quota; ``kept`` counts frames [deals, blocks, class]."""
    there = np.array([(label == 0).sum(), (label == 1).sum()])
    cost: Floats = np.zeros(len(deals))
    for subset, quota, absent in ((0, 0.7, 10.0), (1, 0.1, 1.0), (2, 0.2, 100.0)):
        cells = (kept * (deals == subset)[:, :, None]).sum(axis=1)
        cost += np.abs(cells - quota * there).sum(axis=1) / len(label)
        cost += absent * ((cells == 0) & (there > 0)).sum(axis=1)
    return int(cost.argmin())
