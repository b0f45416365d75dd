"""The release's rules from frames to videos, beside the papers'."""

from __future__ import annotations

import numpy as np
import pytest

from waver.config.sections import EvaluateConfig
from waver.evaluation.labels import Truth
from waver.evaluation.predictions import Method, Predicted, to_videos
from waver.evaluation.video_aggregation import majority, mean_logits, mean_probabilities, video_probabilities

RULES = ["sliding_mean", "majority", "mean_logits", "mean_probabilities"]


def chance(margin):
    return 1 / (1 + np.exp(-np.asarray(margin, np.float64)))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("p", [0.2, 0.5, 0.7])
def test_a_constant_is_decided_as_it_is(rule, p):
    margin = np.full(40, np.log(p / (1 - p)))
    found = video_probabilities(np.full(40, p), [40], 24, rule, margin)[0]
    assert (found > 0.5) == (p > 0.5)
    if rule != "majority":
        assert found == pytest.approx(p)


@pytest.mark.parametrize("rule", RULES)
def test_no_frame_may_lower_the_video_by_rising(rule):
    draw = np.random.default_rng(0)
    margin = draw.normal(size=50)
    before = video_probabilities(chance(margin), [50], 24, rule, margin)
    for frame in range(50):
        raised = margin.copy()
        raised[frame] += 2
        assert video_probabilities(chance(raised), [50], 24, rule, raised) >= before


@pytest.mark.parametrize("seed", range(5))
def test_decisions_are_those_of_the_two_classes_side_by_side(seed):
    """As the release decides: argmax of votes, of mean logits, of mean probabilities over both classes."""
    draw = np.random.default_rng(seed)
    logits = draw.normal(size=(31, 2)) * 2
    margin = logits[:, 1] - logits[:, 0]
    both = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    votes = np.bincount(logits.argmax(1), minlength=2)
    assert (majority(both[:, 1]) > 0.5) == (votes.argmax() == 1)
    assert (mean_logits(margin) > 0.5) == (logits.mean(0).argmax() == 1)
    assert (mean_probabilities(both[:, 1]) > 0.5) == (both.mean(0).argmax() == 1)


def test_the_rules_can_disagree():
    """Two frames in five are certain of A/H, three doubt it a little; then the reverse in logits."""
    margin = np.array([6.0, 6.0, -0.5, -0.5, -0.5])
    assert majority(chance(margin)) == pytest.approx(0.4)
    assert mean_logits(margin) > 0.5
    assert mean_probabilities(chance(margin)) > 0.5
    margin = np.array([-12.0, 3.0, 3.0, 3.0])
    assert mean_logits(margin) < 0.5 < min(majority(chance(margin)), mean_probabilities(chance(margin)))


def test_a_tie_of_votes_and_a_video_without_frames():
    assert majority(np.array([0.9, 0.1])) == 0.5  # not above .5: no A/H
    assert all(np.isnan(rule(np.zeros(0))) for rule in (majority, mean_logits, mean_probabilities))


def truth(level, lengths, label):
    start = np.cumsum([0, *lengths])[:-1]
    names = [f"{n}_Q1" for n in range(len(lengths))]
    count = sum(lengths)
    return Truth(
        level=level,
        label=np.asarray(label, np.int8),
        participant=np.zeros(count, np.int64),
        people=np.array(["1"]),
        split=np.full(count, "val"),
        question=np.ones(count, np.int64),
        start=dict(zip(names, start.tolist(), strict=True)),
        length=dict(zip(names, lengths, strict=True)),
    )


def test_the_config_names_the_rule_that_makes_videos_of_frames():
    margin = np.array([6.0, 6.0, -0.5, -0.5, -0.5, -2.0, 1.0])
    frames, videos = truth("frame", [5, 2], np.zeros(7)), truth("video", [1, 1], np.zeros(2))
    nothing = np.full(7, -1, np.int8)
    predicted = Predicted(
        Method("lfan", "V", "standard", "x"), "frame", 1, np.arange(7), chance(margin), margin, nothing
    )
    expected = {
        "majority": [0.4, 0.5],
        "mean_logits": chance([2.1, -0.5]),
        "mean_probabilities": [chance(margin[:5]).mean(), chance(margin[5:]).mean()],
        "sliding_mean": [chance(margin[:5]).mean(), chance(margin[5:]).mean()],
    }
    assert EvaluateConfig().video_rule == "sliding_mean"
    for rule, values in expected.items():
        config = EvaluateConfig(video_rule=rule)
        found = to_videos(predicted, frames, videos, config.window_frames, config.video_rule)
        assert found.level == "video"
        np.testing.assert_allclose(found.probability, values)
