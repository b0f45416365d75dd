"""Scores of segments: cases counted by hand, and what holds of any prediction."""

from __future__ import annotations

import numpy as np
import pytest
from made_table import made, made_truth, skilled
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from waver.config.sections import EvaluateConfig
from waver.evaluation.method_tables import Table
from waver.evaluation.paired_resamples import Paired
from waver.evaluation.segments import (
    FALSE_ALARMS,
    ONSET_ERROR,
    OVERLAPS,
    SEGMENT_F1,
    SEGMENT_METRICS,
    matches,
    overlaps,
    runs_of,
    segment_counts,
    segment_scores,
    video_counts,
    who_with,
)


def frames(*spans: tuple[int, int], length: int) -> np.ndarray:
    found = np.zeros(length)
    for start, end in spans:
        found[start:end] = 1
    return found


def test_runs_end_with_their_video() -> None:
    runs = runs_of(np.array([1, 1, 0, 1, 1, 1], bool), np.array([0, 0, 0, 0, 1, 1]))
    assert (runs.start.tolist(), runs.end.tolist()) == ([0, 3, 4], [2, 4, 6])


def test_a_case_counted_by_hand() -> None:
    """One minute. True: 0-100, 200-300, 400-420. Found: 10-110 (IoU 90/110), 250-350 (50/150), 700-720 (no match)."""
    length = 24 * 60
    label = frames((0, 100), (200, 300), (400, 420), length=length)
    found = frames((10, 110), (250, 350), (700, 720), length=length)
    values = segment_scores(video_counts(label, found, np.zeros(length, int)))
    two, one = 2 * 2 / 6, 2 * 1 / 6
    assert [float(values[name]) for name in SEGMENT_F1] == pytest.approx([two, two, two, one, one])
    assert float(values[ONSET_ERROR]) == pytest.approx((10 + 50) / 2 / 24)
    assert float(values[FALSE_ALARMS]) == pytest.approx(1.0)


def test_one_segment_in_pieces_is_found_once() -> None:
    """A true segment of 100 frames, found as 0-40 and 50-100: the other piece is a false alarm."""
    length = 24 * 30
    values = segment_scores(
        video_counts(frames((0, 100), length=length), frames((0, 40), (50, 100), length=length), np.zeros(length, int))
    )
    assert [float(values[name]) for name in SEGMENT_F1] == pytest.approx([2 / 3] * 5)
    assert float(values[FALSE_ALARMS]) == pytest.approx(2.0)


def test_constants() -> None:
    label = frames((0, 50), length=100)
    none, everything = (segment_scores(video_counts(label, np.full(100, p), np.zeros(100, int))) for p in (0.0, 1.0))
    assert [float(none[name]) for name in SEGMENT_F1] == [0.0] * 5
    assert np.isnan(none[ONSET_ERROR])
    assert float(none[FALSE_ALARMS]) == 0
    assert float(everything["segment_F1_50"]) == 1, "half of the video is one true segment"
    assert np.isnan(list(segment_scores(video_counts(*np.zeros((2, 0)), np.zeros(0, int))).values())).all()


@pytest.mark.parametrize("seed", range(6))
def test_no_matching_is_larger(seed: int) -> None:
    rng = np.random.default_rng(seed)
    video = np.repeat(np.arange(8), 150)
    sides = [runs_of(np.repeat(rng.random(300) < share, 4), video) for share in (0.3, 0.6)]
    one, other, iou = overlaps(*sides)
    for overlap in (0.0, *OVERLAPS):
        near = iou >= overlap
        t, p = one[near], other[near]
        chosen = matches(t, p)
        assert len(set(t[chosen])) == len(set(p[chosen])) == chosen.sum()
        graph = csr_array((np.ones(len(t)), (t, p)), shape=(len(sides[0].start), len(sides[1].start)))
        assert chosen.sum() == (maximum_bipartite_matching(graph) >= 0).sum()


def test_perfect_reversed_and_shifted() -> None:
    rng = np.random.default_rng(0)
    video = np.repeat(np.arange(5), 400)
    label = np.repeat(rng.random(100) < 0.4, 20).astype(float)
    perfect = segment_scores(video_counts(label, label, video))
    assert [float(perfect[name]) for name in SEGMENT_F1] == [1.0] * 5
    assert (float(perfect[ONSET_ERROR]), float(perfect[FALSE_ALARMS])) == (0.0, 0.0)
    noisy = np.where(rng.random(2000) < 0.1, 1 - label, label)
    there, back = (video_counts(a[::s], b[::s], video) for (a, b), s in (((label, noisy), 1), ((label, noisy), -1)))
    assert there[[0, 1, 2, *range(4, 9)]].tolist() == back[[0, 1, 2, *range(4, 9)]].tolist(), "time may run backwards"
    values = [float(segment_scores(there)[name]) for name in SEGMENT_F1]
    assert values == sorted(values, reverse=True), "a stricter overlap matches no more"
    shifted = np.concatenate([np.zeros(3), np.repeat([0, 1, 0], 40)])
    moved = segment_scores(video_counts(shifted[:120], np.repeat([0, 1, 0], 40), np.zeros(120, int)))
    assert float(moved[ONSET_ERROR]) == pytest.approx(3 / 24)


def test_people_are_summed_and_partial_videos_left_out() -> None:
    truth = made_truth(people=9, frames=60, level="frame")
    predicted = made(truth, "lfan", skilled(truth, 3.0, 1))
    people = np.array([1, 4, 5])
    counts = segment_counts(truth, predicted, people)
    for row, who in zip(counts, people, strict=True):
        own = truth.participant == who
        video = np.repeat(np.arange(7), 60)
        assert row.tolist() == video_counts(truth.label[own], predicted.probability[own], video).tolist()
    without = predicted.take(np.arange(len(truth.label)) != truth.start["82004_Q1"] + 30)
    left = segment_counts(truth, without, people)
    assert left[[0, 2]].tolist() == counts[[0, 2]].tolist()
    assert counts[1, 2] - left[1, 2] == 60, "the video with a hole counts nothing"
    every_other = segment_counts(truth, predicted.take(np.arange(len(truth.label)) % 2 == 0), people)
    assert not every_other.any()
    assert np.isnan(list(segment_scores(every_other.sum(0)).values())).all()
    assert {name: int(who.sum()) for name, who in who_with(counts).items()} == {
        **dict.fromkeys(SEGMENT_METRICS, 3),
        ONSET_ERROR: int((counts[:, 4] > 0).sum()),
    }


@pytest.mark.parametrize("level", ["frame", "participant"])
def test_a_resample_scores_the_videos_of_the_people_drawn(level: str) -> None:
    truth = made_truth(people=12, frames=40, level="frame")
    predicted = made(truth, "lfan", skilled(truth, 2.0, 1))
    paired = Paired(Table(level, "cv", "standard", truth, [predicted]), EvaluateConfig(bootstrap=100))
    values = paired.values(predicted, predicted.item)
    assert set(paired.metrics) <= values.keys()
    for row in (0, 1, 57):
        drawn = np.repeat(np.arange(12), paired.weights[row].astype(int))
        own = [np.flatnonzero(truth.participant == who) for who in drawn]
        video = np.concatenate([np.repeat(np.arange(7), 40) + 7 * place for place in range(len(own))])
        if level == "frame":
            item = np.concatenate(own)
            expected = segment_scores(video_counts(truth.label[item], predicted.probability[item], video))
        else:
            each = [
                segment_scores(video_counts(truth.label[i], predicted.probability[i], np.repeat(np.arange(7), 40)))
                for i in own
            ]
            expected = {name: np.nanmean([one[name] for one in each]) for name in SEGMENT_METRICS}
        for name in SEGMENT_METRICS:
            assert values[name][row] == pytest.approx(float(expected[name])), name


@pytest.mark.parametrize(("level", "frames", "step"), [("video", 1, 1), ("frame", 20, 2)])
def test_without_whole_videos_of_frames_there_are_no_scores_of_segments(level: str, frames: int, step: int) -> None:
    truth = made_truth(people=6, frames=frames, level=level)
    predicted = made(truth, "lfan", skilled(truth, 2.0, 1), np.arange(0, len(truth.label), step))
    paired = Paired(Table(level, "cv", "standard", truth, [predicted]), EvaluateConfig(bootstrap=100))
    assert set(SEGMENT_METRICS).isdisjoint(paired.metrics)
    assert set(SEGMENT_METRICS).isdisjoint(paired.values(predicted, predicted.item))
