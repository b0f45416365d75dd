"""Scores against the released evaluation's outputs, hand values and scikit-learn."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from waver.evaluation import metrics

CASES = json.loads((Path(__file__).parents[2] / "data" / "metric_cases.json").read_text())["cases"]

UPSTREAM = {
    "CL_ACC": metrics.war,
    "F1_POS": metrics.f1,
    "F1_NEG": metrics.f1_negative,
    "W_F1": metrics.wf1,
    "MACRO_F1": metrics.avgf1,
}


def _logits(case: dict[str, Any]) -> np.ndarray | None:
    given = case["input"]
    return None if given["logits"] is None else np.array(given["logits"], dtype=given["logits_dtype"])


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_released_evaluation(case: dict[str, Any]) -> None:
    label = np.array(case["input"]["gt"])
    decided = np.array(case["input"]["hard_preds"], np.float64)
    logits = _logits(case)
    if case["raises"]:
        # the released code stops here; ours answers what is defined, and nan for what is not
        assert math.isnan(metrics.average_precision_paper(decided, label)) == (not label.any())
        absent = len({*label, *decided}) == 1
        assert metrics.avgf1(decided, label) == (0.5 if absent else pytest.approx(1 / 3))
        return
    for key, score in UPSTREAM.items():
        assert score(decided, label) == pytest.approx(case["output"][key], abs=1e-12), key
    if logits is None:
        assert case["output"]["Average_precision_POS"] == 0.0  # a placeholder upstream: there is nothing to rank
        return
    probability = metrics.released_probability(logits)
    assert probability.dtype == logits.dtype
    expected = case["output"]["Average_precision_POS"]
    assert metrics.average_precision_paper(probability, label) == pytest.approx(expected, abs=1e-12)
    if logits.dtype == np.float64:
        margin = logits[:, 1] - logits[:, 0]
        ours = 1 / (1 + np.exp(-margin))
        assert metrics.average_precision_paper(ours, label) == pytest.approx(expected, abs=1e-12)
        np.testing.assert_array_equal(
            ours > 0.5, decided > 0.5 if case["input"]["hard_preds_from"] != "given" else ours > 0.5
        )


def _constant(positives: int, n: int, probability: float) -> tuple[np.ndarray, np.ndarray]:
    label = np.zeros(n, np.uint8)
    label[:positives] = 1
    return np.full(n, probability), label


BAH300_FRAMES, BAH300_VIDEOS = (65_756, 335_110), (318, 525)
BAH224_FRAMES, BAH224_VIDEOS = (50_664, 256_744), (239, 392)


@pytest.mark.parametrize(
    ("counts", "probability", "score", "expected"),
    [
        (BAH300_FRAMES, 0.0, metrics.avgf1, 0.4456),
        (BAH300_FRAMES, 0.0, metrics.wf1, 0.7163),
        (BAH300_FRAMES, 1.0, metrics.avgf1, 0.1640),
        (BAH300_VIDEOS, 0.0, metrics.avgf1, 0.2828),
        (BAH300_VIDEOS, 0.0, metrics.war, 0.3943),
        (BAH300_VIDEOS, 1.0, metrics.avgf1, 0.3772),
        (BAH300_VIDEOS, 1.0, metrics.war, 0.6057),
        (BAH224_FRAMES, 0.0, metrics.wf1, 0.7148),
        (BAH224_VIDEOS, 0.0, metrics.wf1, 0.2191),
        (BAH224_VIDEOS, 1.0, metrics.wf1, 0.4619),
    ],
)
def test_predictors_that_look_at_nothing(counts: Any, probability: float, score: Any, expected: float) -> None:
    assert score(*_constant(*counts, probability)) == pytest.approx(expected, abs=6e-5)


def test_all_negative_at_prevalence_a_fifth() -> None:
    probability, label = _constant(200, 1000, 0.0)
    assert metrics.avgf1(probability, label) == pytest.approx(0.44444, abs=1e-5)
    assert metrics.wf1(probability, label) == pytest.approx(0.71111, abs=1e-5)
    assert metrics.war(probability, label) == pytest.approx(0.8)
    assert metrics.f1(probability, label) == 0
    assert metrics.uar(probability, label) == 0.5


@pytest.mark.parametrize(
    ("probability", "label", "paper", "step"),
    [
        ([0.9, 0.8, 0.3, 0.2], [1, 0, 1, 0], 0.541667, 0.833333),
        ([0.9, 0.8, 0.1, 0.05], [1, 1, 0, 0], 0.75, 1.0),
        ([1.0, 1.0, 0.0, 0.0], [1, 1, 0, 0], 0.0, 1.0),
        ([0.9985, 0.9985, 0.0, 0.0], [1, 1, 0, 0], 0.5, 1.0),
        ([0.9, 0.9, 0.1, 0.1], [1, 1, 0, 0], 0.5, 1.0),
        ([0.5] * 5, [1, 0, 0, 0, 0], 0.1, 0.2),
        ([0.5] * 5, [1, 1, 0, 0, 0], 0.2, 0.4),
        ([1.0] * 5, [1, 0, 0, 0, 0], 0.0, 0.2),
    ],
)
def test_both_average_precisions(probability: list[float], label: list[int], paper: float, step: float) -> None:
    p, y = np.array(probability), np.array(label, np.uint8)
    assert metrics.average_precision_paper(p, y) == pytest.approx(paper, abs=1e-6)
    assert metrics.average_precision(p, y) == pytest.approx(step, abs=1e-6)


def _random(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    label = (rng.random(n) < 0.2).astype(np.uint8)
    return 1 / (1 + np.exp(-rng.normal(size=n) - label)), label


@pytest.mark.parametrize("digits", [1, 2, 9])
def test_against_scikit_learn(digits: int) -> None:
    probability, label = _random(3000)
    probability = probability.round(digits)
    decided = probability > 0.5
    assert metrics.average_precision(probability, label) == pytest.approx(
        sklearn_metrics.average_precision_score(label, probability), abs=1e-12
    )
    assert metrics.auroc(probability, label) == pytest.approx(
        sklearn_metrics.roc_auc_score(label, probability), abs=1e-12
    )
    for score, average in ((metrics.avgf1, "macro"), (metrics.wf1, "weighted"), (metrics.f1, "binary")):
        assert score(probability, label) == pytest.approx(sklearn_metrics.f1_score(label, decided, average=average))
    assert metrics.war(probability, label) == pytest.approx(sklearn_metrics.accuracy_score(label, decided))
    assert metrics.uar(probability, label) == pytest.approx(sklearn_metrics.balanced_accuracy_score(label, decided))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_threshold_bins_count_the_thresholds_reached(dtype: type) -> None:
    grid = metrics.THRESHOLDS.astype(dtype)
    near = np.concatenate([grid, np.nextafter(grid, dtype(0)), np.nextafter(grid, dtype(1)), [0, 1, np.nan]])
    probability = np.concatenate([near, np.random.default_rng(0).random(5000)]).astype(dtype)
    counted = (probability[:, None] >= grid).sum(axis=1)
    np.testing.assert_array_equal(metrics.threshold_bins(probability), counted)


def _thousand_passes(probability: np.ndarray, label: np.ndarray) -> float:
    positive, total = label == 1, int(label.sum())
    precision, recall = [], []
    for threshold in np.arange(0, 1, 0.001):
        predicted = probability >= threshold
        right, all_predicted = int(np.sum(predicted & positive)), int(predicted.sum())
        precision.append(right / all_predicted if all_predicted else 0.0)
        recall.append(right / total)
    return float(sklearn_metrics.auc(recall, precision))


@pytest.mark.slow
def test_one_histogram_does_the_work_of_a_thousand_passes(capsys: pytest.CaptureFixture[str]) -> None:
    probability, label = _random(256_744)
    assert metrics.average_precision_paper(probability, label) == pytest.approx(
        _thousand_passes(probability, label), abs=1e-12
    )


def test_what_is_undefined_is_nan() -> None:
    some, none = np.array([0.2, 0.8]), np.zeros(0)
    for label in (np.zeros(2, np.uint8), np.ones(2, np.uint8)):
        assert math.isnan(metrics.auroc(some, label))
        assert math.isnan(metrics.uar(some, label))
        assert math.isnan(metrics.auroc_within(some, label, np.zeros(2)))
        assert math.isnan(metrics.avgf1_within(some, label, np.zeros(2)))
    assert math.isnan(metrics.average_precision(some, np.zeros(2, np.uint8)))
    assert metrics.average_precision(some, np.ones(2, np.uint8)) == 1
    for score in (metrics.f1, metrics.f1_negative, metrics.avgf1, metrics.wf1, metrics.war, metrics.uar):
        assert math.isnan(score(none, none))
    for score in (metrics.average_precision, metrics.average_precision_paper, metrics.auroc):
        assert math.isnan(score(none, none))


def test_a_tie_of_the_logits_is_negative() -> None:
    np.testing.assert_array_equal(
        metrics.confusion(np.array([0.5, 0.5, 0.6, 0.6]), np.array([0, 1, 0, 1])), [1, 1, 1, 1]
    )


def _questions(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    question = rng.integers(1, 8, 1400)
    prior = np.array([0.22, 0.62, 0.58, 0.95, 0.50, 0.40, 0.88])
    return question, (rng.random(1400) < prior[question - 1]).astype(np.uint8), rng.integers(0, 5, 1400)


def test_within_questions_what_the_question_predicts_counts_nothing() -> None:
    question, label, _ = _questions(0)
    prior = np.array([label[question == q].mean() for q in range(1, 8)])[question - 1]
    assert metrics.auroc(prior, label) > 0.7
    assert metrics.auroc_within(prior, label, question) == 0.5


def test_within_questions_pooled_over_folds_is_a_trap() -> None:
    question, label, fold = _questions(1)
    prior = np.zeros(len(label))
    for q in range(1, 8):
        for f in range(5):
            prior[(question == q) & (fold == f)] = label[(question == q) & (fold != f)].mean()
    assert metrics.auroc_within(prior, label, question) < 0.45
    assert metrics.auroc_within(prior, label, question + 10 * fold) == 0.5


def test_within_questions_weighs_by_pairs() -> None:
    probability = np.array([0.9, 0.1, 0.2, 0.7, 0.6, 0.4])
    label = np.array([1, 0, 1, 1, 0, 0], np.uint8)
    question = np.array([1, 1, 2, 2, 2, 2])
    # question 1: one pair, right; question 2: four pairs, two right; AVGF1 1 and .5
    assert metrics.auroc_within(probability, label, question) == pytest.approx((1 * 1 + 4 * 0.5) / 5)
    assert metrics.avgf1_within(probability, label, question) == pytest.approx((1 * 1 + 4 * 0.5) / 5)
