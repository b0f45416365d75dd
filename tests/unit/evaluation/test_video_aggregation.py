"""The rule from frames to videos."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from waver.evaluation import metrics
from waver.evaluation.video_aggregation import video_probabilities, video_probability

CASES = json.loads((Path(__file__).parents[2] / "data" / "metric_cases.json").read_text())["cases"]


@pytest.mark.parametrize("frames", [1, 23, 24, 25, 200])
def test_a_constant_stays(frames: int) -> None:
    assert video_probability(np.full(frames, 0.3), 24) == pytest.approx(0.3)


@pytest.mark.parametrize(("run", "expected"), [(24, 1.0), (12, 0.5), (6, 0.25), (48, 1.0)])
@pytest.mark.parametrize("start", [0, 37, 150])
def test_a_run_of_ones(run: int, expected: float, start: int) -> None:
    probability = np.zeros(200)
    probability[start : start + run] = 1
    # exact, because .5 decides
    assert video_probability(probability, 24) == expected


def test_a_short_video_is_one_window() -> None:
    assert video_probability(np.array([1.0, 0.0, 0.5]), 24) == 0.5
    assert math.isnan(video_probability(np.zeros(0), 24))


def test_no_frame_may_lower_the_video_by_rising() -> None:
    rng = np.random.default_rng(0)
    probability = rng.random(60)
    before = video_probability(probability, 24)
    for frame in range(60):
        raised = probability.copy()
        raised[frame] += 0.1
        assert video_probability(raised, 24) >= before


def test_recorded_case() -> None:
    given = next(case for case in CASES if case["name"] == "video_level_paper_rule")
    frames = [np.array(frame) for frame in given["input"]["frames"]]
    probability = video_probabilities(np.concatenate(frames), [len(frame) for frame in frames], 24)
    np.testing.assert_allclose(probability, given["input"]["video_prob"], atol=1e-12)
    label = np.array(given["input"]["gt"])
    expected = given["output"]["Average_precision_POS"]
    assert metrics.average_precision_paper(probability, label) == pytest.approx(expected, abs=1e-12)
    assert metrics.avgf1(probability, label) == pytest.approx(given["output"]["MACRO_F1"])
