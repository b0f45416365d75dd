"""What the papers' average precision makes of narrow and of spread scores, and constants on every published split."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from waver.evaluation import metrics

COUNTS = {
    "300 test frames": (65_756, 335_110, 0.1962),
    "300 test videos": (318, 525, 0.6057),
    "224 test frames": (50_664, 256_744, 0.1973),
    "224 test videos": (239, 392, 0.6097),
    "224 train frames": (65_282, 375_060, 0.1741),
    "224 train videos": (340, 616, 0.5519),
    "224 val frames": (15_157, 82_201, 0.1844),
    "224 val videos": (59, 110, 0.5364),
}
"""Positives, all, prevalence."""


@pytest.mark.parametrize("split", COUNTS)
def test_constants_have_the_scores_that_follow_from_the_counts(split):
    positives, count, prevalence = COUNTS[split]
    label = (np.arange(count) < positives).astype(np.uint8)
    negatives = count - positives
    zero, one, half = (np.full(count, value) for value in (0.0, 1.0, 0.5))
    assert metrics.average_precision(half, label) == pytest.approx(prevalence, abs=5e-5)
    assert metrics.average_precision_paper(half, label) == pytest.approx(positives / count / 2)
    assert metrics.average_precision_paper(one, label) == 0
    assert metrics.war(one, label) == pytest.approx(prevalence, abs=5e-5)
    assert metrics.avgf1(zero, label) == pytest.approx(negatives / (2 * negatives + positives))
    assert metrics.avgf1(one, label) == pytest.approx(positives / (2 * positives + negatives))
    assert metrics.wf1(zero, label) == pytest.approx(negatives / count * 2 * negatives / (2 * negatives + positives))
    assert metrics.uar(zero, label) == metrics.uar(one, label) == 0.5


def scored(count=20_000, prevalence=0.21):
    draw = np.random.default_rng(0)
    label = (np.arange(count) < round(prevalence * count)).astype(np.uint8)
    return 1 / (1 + np.exp(1 - draw.normal(size=count) - 1.02 * label)), label


def test_a_ranking_squeezed_below_the_first_threshold_has_half_the_prevalence():
    probability, label = scored()
    squeezed = 1e-4 * probability
    usual = metrics.average_precision(probability, label)
    assert usual == pytest.approx(0.482, abs=5e-3)
    assert metrics.average_precision(squeezed, label) == pytest.approx(usual)
    assert metrics.average_precision_paper(squeezed, label) == pytest.approx(0.105)


def test_of_spread_scores_both_average_precisions_are_nearly_the_same():
    probability, label = scored()
    paper = metrics.average_precision_paper(probability, label)
    assert paper == pytest.approx(average_precision_score(label, probability), abs=0.002)
    assert paper != metrics.average_precision(probability, label)
