"""Scores at equal numbers of predicted positives, against their definitions over all orders of ties."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from waver.evaluation import metrics
from waver.evaluation.equal_positives import average_precision_equal, avgf1_equal, f1_equal


def _random(n: int, digits: int, seed: int, rate: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.random(n).round(digits), (rng.random(n) < rate).astype(np.uint8)


@pytest.mark.parametrize("seed", range(12))
def test_f1_is_the_mean_over_all_orders_of_ties(seed: int) -> None:
    probability, label = _random(7, 0 if seed % 2 else 1, seed, 0.4)
    total, f1, average = int(label.sum()), [], []
    for order in permutations(range(len(label))):
        ranked = np.array(order)
        if (np.diff(probability[ranked]) > 0).any():
            continue  # not in the order of the probabilities
        decided = np.zeros(len(label))
        decided[ranked[:total]] = 1
        f1.append(metrics.f1(decided, label))
        average.append(metrics.avgf1(decided, label))
    assert f1_equal(probability, label) == pytest.approx(np.mean(f1), abs=1e-12)
    assert avgf1_equal(probability, label) == pytest.approx(np.mean(average), abs=1e-12)


def test_without_ties_it_is_the_score_at_the_threshold_that_calls_as_many() -> None:
    probability, label = _random(2000, 9, 3)
    total = int(label.sum())
    decided = np.zeros(len(label))
    decided[np.argsort(-probability)[:total]] = 1
    assert decided.sum() == total
    assert f1_equal(probability, label) == pytest.approx(metrics.f1(decided, label))
    assert avgf1_equal(probability, label) == pytest.approx(metrics.avgf1(decided, label))
    assert f1_equal(probability, label) == pytest.approx(sklearn_metrics.precision_score(label, decided))


@pytest.mark.parametrize("digits", [9, 1])
def test_ap_is_the_sum_of_precisions_at_the_hits_of_the_first_ranks(digits: int) -> None:
    """By a loop over distinct probabilities; without ties, over ranks."""
    probability, label = _random(400, digits, 5)
    total = int(label.sum())
    reached, right, area = 0.0, 0.0, 0.0
    for value in sorted(set(probability), reverse=True):
        tied = label[probability == value]
        share = min(1.0, (total - reached) / len(tied))
        hits = tied.sum() * share
        reached, right = reached + len(tied) * share, right + hits
        area += hits * right / reached
        if reached >= total:
            break
    assert average_precision_equal(probability, label) == pytest.approx(area / total, abs=1e-12)
    if digits == 9:
        ranked = label[np.argsort(-probability)][:total]
        precision = np.cumsum(ranked) / np.arange(1, total + 1)
        assert average_precision_equal(probability, label) == pytest.approx((precision * ranked).sum() / total)


def test_ap_cut_at_the_last_rank_would_be_ap() -> None:
    """All items positive: the first P ranks are all there are."""
    probability = np.random.default_rng(0).random(50)
    assert average_precision_equal(probability, np.ones(50)) == 1
    probability, label = _random(500, 2, 8)
    assert average_precision_equal(probability, label) < metrics.average_precision(probability, label)


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_constants_call_the_same_number_whatever_they_say(probability: float) -> None:
    label = np.arange(10) < 3
    constant = np.full(10, probability)
    assert f1_equal(constant, label) == pytest.approx(0.3)
    assert avgf1_equal(constant, label) == pytest.approx(0.5)
    assert average_precision_equal(constant, label) == pytest.approx(0.09)


def test_no_threshold_matters() -> None:
    probability, label = _random(300, 2, 1)
    squeezed = 0.9 + 0.1 * probability
    assert metrics.avgf1(squeezed, label) != metrics.avgf1(probability, label)
    for score in (f1_equal, avgf1_equal, average_precision_equal):
        assert score(squeezed, label) == pytest.approx(score(probability, label), abs=1e-12)


def test_what_is_undefined() -> None:
    some, none = np.array([0.2, 0.8]), np.zeros(0)
    assert math.isnan(average_precision_equal(some, np.zeros(2)))
    assert f1_equal(some, np.zeros(2)) == 0  # neither present nor predicted
    assert avgf1_equal(some, np.zeros(2)) == 0.5
    for score in (f1_equal, avgf1_equal, average_precision_equal):
        assert math.isnan(score(none, none))
