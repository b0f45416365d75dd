"""Segments from probabilities: thresholds chosen on val, what a segment says."""

from __future__ import annotations

import numpy as np
import pytest

from waver.predict.result import Bands, RecordingResult
from waver.predict.segments import DURATIONS, SegmentRule, choose_rule, cue_hints, frames_of_spans, with_segments


def result(probability: np.ndarray, **about: object) -> RecordingResult:
    length = len(probability)
    known = {"recording": "recording_001", "participant": "p", "question": None, "language": None}
    valid = {"visual": np.ones(length, bool), "text": np.ones(length, bool)}
    scores = {"threshold": 0.5, "video_probability": 0.6, "bands": Bands(0.4, 0.7)}
    return RecordingResult(
        **known, duration_s=length / 24, probability=probability.astype(np.float32), valid=valid, **scores, **about
    )


def test_hysteresis_holds_a_wavering_segment_together() -> None:
    probability = np.array([0.1, 0.5, 0.8, 0.5, 0.9, 0.1, 0.5, 0.1, 0.95, 0.1])
    assert SegmentRule("hysteresis", 0.7, 0.4).spans(probability) == [(1, 5), (8, 9)]
    assert SegmentRule("hysteresis", 0.7, 0.4, 2).spans(probability) == [(1, 5)]
    assert SegmentRule("hysteresis", 0.7, 0.7).spans(probability) == [(2, 3), (4, 5), (8, 9)]
    assert SegmentRule("hysteresis", 0.7, 0.4).unclear(probability) == [(6, 7)]
    assert DURATIONS.spans(np.array([0.5, 0.4])) == [(0, 1)]
    assert DURATIONS.spans(np.zeros(0)) == []


def test_the_rule_is_the_best_on_val() -> None:
    """True segments at .6, wavering down to .35; false peaks of three frames at .7, and a long false stretch at .36."""
    rng = np.random.default_rng(0)
    videos = []
    for _ in range(6):
        label = frames_of_spans([(100, 200)], 400).astype(np.uint8)
        probability = np.where(label, np.where(np.arange(400) % 10 < 5, 0.6, 0.35), 0.1) + rng.normal(0, 0.01, 400)
        probability[220:280] += 0.26
        probability[[20, 21, 22, 300, 301, 302]] = 0.7
        videos.append((probability, label))
    rule = choose_rule(videos)
    assert rule.kind == "hysteresis"
    assert rule.off < 0.34 < 0.37 < rule.on
    assert rule.shortest_frames > 3
    for probability, label in videos:
        assert np.array_equal(frames_of_spans(rule.spans(probability), 400), label)


def test_without_anything_to_choose_by() -> None:
    assert choose_rule([(np.full(5, 0.3), np.zeros(5))]) == SegmentRule("hysteresis")
    assert choose_rule([]) == SegmentRule("hysteresis")
    assert choose_rule([(np.full(5, 0.3), np.ones(5))], decoded=True) == DURATIONS
    assert SegmentRule(**DURATIONS.state()) == DURATIONS


def test_what_a_segment_says() -> None:
    probability = np.array([0.1, 0.6, 0.8, 0.1])
    added = np.array([[0, 0], [1, -1], [2, 0], [9, 9]], np.float32)
    tracks = {"gate/visual+text": np.array([0, 0.9, 0.7, 0], np.float32), "gate/within:text": np.full(4, 0.6)}
    tracks |= {"gate/visual": np.ones(4), "conflict/visual+text": np.ones(4), "gate/audio+text": np.full(4, 0.4)}
    (segment,) = with_segments(result(probability, contributions=added, tracks=tracks), DURATIONS).segments
    assert (segment.start_frame, segment.end_frame) == (1, 3)
    assert (segment.mean, segment.peak) == (pytest.approx(0.7), pytest.approx(0.8))
    assert segment.contributions == {"visual": 1.5, "text": -0.5}
    assert segment.cues == ("face against words", "words change")
    assert cue_hints({}) == ()
