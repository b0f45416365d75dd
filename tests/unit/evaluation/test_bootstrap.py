"""The vectorised bootstrap is the naive one, and its intervals cover."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from waver.evaluation import calibration, metrics
from waver.evaluation.bootstrap import (
    BIASED,
    METRICS,
    Sample,
    interval,
    mean_scores,
    participant_scores,
    resamples,
    scores,
)
from waver.evaluation.equal_positives import average_precision_equal, avgf1_equal, f1_equal


def _sample(people: int, n: int, digits: int = 9, seed: int = 0) -> Sample:
    rng = np.random.default_rng(seed)
    who = rng.integers(0, people, n)
    label = (rng.random(n) < 0.15 + 0.1 * (who % 3)).astype(np.uint8)
    probability = (1 / (1 + np.exp(-rng.normal(size=n) - label))).round(digits)
    return Sample(probability, label, who, rng.integers(-1, 5, n).astype(np.int8), people)


def _by_definition(sample: Sample, edges: np.ndarray) -> dict[str, float]:
    p, y = sample.probability, sample.label
    inside = sample.stratum >= 0
    within = p[inside], y[inside], sample.stratum[inside]
    return {
        "F1": metrics.f1(p, y),
        "F1_negative": metrics.f1_negative(p, y),
        "AVGF1": metrics.avgf1(p, y),
        "WF1": metrics.wf1(p, y),
        "WAR": metrics.war(p, y),
        "UAR": metrics.uar(p, y),
        "AP": metrics.average_precision(p, y),
        "F1_equal": f1_equal(p, y),
        "AVGF1_equal": avgf1_equal(p, y),
        "AP_equal": average_precision_equal(p, y),
        "Brier": calibration.brier(p, y),
        "ECE": calibration.ece(p, y, edges),
        "AP_paper": metrics.average_precision_paper(p, y),
        "AUROC": metrics.auroc(p, y),
        "AUROC_within": metrics.auroc_within(*within),
        "AVGF1_within": metrics.avgf1_within(*within),
    }


def _drawn(sample: Sample, weight: np.ndarray) -> Sample:
    """The items of a resample, copied out."""
    parts = [np.flatnonzero(sample.participant == who).repeat(int(times)) for who, times in enumerate(weight)]
    return sample.take(np.concatenate(parts))


@pytest.mark.parametrize(
    ("people", "n", "digits"), [(6, 1800, 9), (6, 1800, 2), (6, 1800, 0), (9, 30, 1), (3, 5000, 9)]
)
def test_every_resample_is_scored_as_if_its_items_were_copied_out(people: int, n: int, digits: int) -> None:
    sample = _sample(people, n, digits)
    weights = resamples(people, 25, "test")
    values = scores(sample, weights)
    assert tuple(values) == METRICS
    edges = calibration.mass_edges(sample.probability)
    for row, weight in enumerate(weights):
        for name, expected in _by_definition(_drawn(sample, weight), edges).items():
            assert values[name][row] == pytest.approx(expected, abs=1e-12, nan_ok=True), (name, row)


def test_participant_level_is_the_mean_over_people_with_positives() -> None:
    sample = _sample(8, 900)
    label = np.where(sample.participant == 2, 0, sample.label)
    sample = Sample(sample.probability, label, sample.participant, sample.stratum, 8)
    edges = calibration.mass_edges(sample.probability)
    alone = [_by_definition(sample.take(sample.participant == who), edges) for who in range(8) if who != 2]
    values = mean_scores(sample, resamples(8, 10, "test"))
    for name in METRICS:
        each = np.array([scored[name] for scored in alone])
        assert values[name][0] == pytest.approx(each.mean(), abs=1e-12)
        assert values[f"{name}_sd"][0] == pytest.approx(each.std(ddof=1), abs=1e-12)
        assert math.isnan(participant_scores(sample)[name][2])


def test_participant_mean_of_a_resample_counts_who_is_drawn_twice() -> None:
    sample = _sample(3, 300)
    alone = participant_scores(sample)["AVGF1"]
    values = mean_scores(sample, np.array([[2.0, 0.0, 1.0]]))
    copies = alone[[0, 0, 2]]
    assert values["AVGF1"][0] == pytest.approx(copies.mean())
    assert values["AVGF1_sd"][0] == pytest.approx(copies.std(ddof=1))


def test_resamples_depend_on_their_names_alone() -> None:
    weights = resamples(7, 50, 0, "frame", "test")
    np.testing.assert_array_equal(weights, resamples(7, 50, 0, "frame", "test"))
    assert (weights != resamples(7, 50, 0, "frame", "val")).any()
    np.testing.assert_array_equal(weights[0], 1)
    np.testing.assert_array_equal(weights.sum(axis=1), 7)


def test_undefined_scores_leave_no_interval() -> None:
    sample = Sample(np.array([0.2, 0.9]), np.zeros(2, np.uint8), np.array([0, 1]), np.array([1, 1]), 2)
    values = scores(sample, resamples(2, 20, "test"))
    assert all(math.isnan(number) for number in interval(values["AP"]))
    assert all(math.isnan(number) for number in interval(values["AUROC_within"]))
    assert interval(values["WAR"]) == (0.5, 0.0, 1.0)


def test_a_biased_score_has_its_value_inside_its_interval() -> None:
    """Resampled bins are further from honest than the bins of everyone; they are moved back."""
    rng = np.random.default_rng(5)
    who, probability = np.arange(40).repeat(10), rng.random(400)
    label = (rng.random(400) < probability).astype(np.uint8)
    values = scores(Sample(probability, label, who, np.ones(400, np.int64), 40), resamples(40, 400, "test"))["ECE"]
    value, low, high = interval(values, "ECE" in BIASED)
    assert value < values[1:].mean()
    assert 0 <= low < value < high
    assert high - low <= np.ptp(np.percentile(values[1:], (2.5, 97.5))) + 1e-12
    assert interval(values)[2] > high


def test_nothing_to_score() -> None:
    empty = Sample(np.zeros(0), np.zeros(0, np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int8), 0)
    values = scores(empty, resamples(0, 5, "test"))
    assert all(np.isnan(values[name]).all() for name in METRICS)


def test_one_person_gives_a_value_and_no_interval() -> None:
    sample = _sample(1, 200)
    value, low, high = interval(scores(sample, resamples(1, 20, "test"))["AVGF1"])
    assert value == pytest.approx(metrics.avgf1(sample.probability, sample.label))
    assert math.isnan(low)
    assert math.isnan(high)


def test_a_score_that_one_of_several_people_has_gets_no_interval() -> None:
    """Inside questions, person 0 alone has both classes; plain AVGF1 exists for all three."""
    probability, label = np.array([0.2, 0.9, 0.9, 0.4, 0.7, 0.6]), np.array([0, 1, 1, 1, 1, 1], np.uint8)
    sample = Sample(probability, label, np.arange(6) // 2, np.ones(6, np.int8), 3)
    values = mean_scores(sample, resamples(3, 50, "test"))
    assert np.isfinite(participant_scores(sample)["AUROC_within"]).sum() == 1
    value, low, high = interval(values["AUROC_within"])
    assert value == 1
    assert math.isnan(low)
    assert math.isnan(high)
    _, low, high = interval(values["AVGF1"])
    assert low < high


def _people(rng: np.random.Generator, people: int) -> Sample:
    """Participants who differ in prevalence and in how well they are read; 40 items each."""
    rate, skill = rng.beta(2, 5, people), rng.normal(1, 0.7, people)
    who = np.arange(people).repeat(40)
    label = (rng.random(len(who)) < rate[who]).astype(np.uint8)
    margin = rng.normal(size=len(who)) + skill[who] * (label - 0.5)
    return Sample(1 / (1 + np.exp(-margin)), label, who, np.ones(len(who), np.int8), people)


@pytest.mark.slow
def test_intervals_over_participants_cover() -> None:
    rng = np.random.default_rng(3)
    everyone = _people(rng, 4000)
    truth = metrics.avgf1(everyone.probability, everyone.label)
    hits, frame_hits = 0, 0
    for trial in range(80):
        sample = _people(rng, 40)
        _, low, high = interval(scores(sample, resamples(40, 200, trial))["AVGF1"])
        hits += low <= truth <= high
        # items drawn one by one, as if those of a person were independent: too narrow
        counts = metrics.confusion(sample.probability, sample.label)
        draws = np.vstack([counts, rng.multinomial(len(sample.label), counts / counts.sum(), size=200)])
        _, low, high = interval(metrics.avgf1_of(draws))
        frame_hits += low <= truth <= high
    assert 0.87 <= hits / 80 <= 1.0
    assert frame_hits < hits


@pytest.mark.slow
def test_a_quarter_of_a_million_frames_in_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    sample = _sample(56, 256_744)
    weights = resamples(56, 1000, "test")
    started = time.process_time()
    values = scores(sample, weights)
    spent_s = time.process_time() - started
    with capsys.disabled():
        print(f"\n256,744 frames x 1,000 resamples x {len(METRICS)} scores: {spent_s:.1f} s of CPU")
    assert spent_s < 15
    assert values["AP"][0] == pytest.approx(metrics.average_precision(sample.probability, sample.label), abs=1e-12)
