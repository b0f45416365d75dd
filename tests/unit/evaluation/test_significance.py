"""p-values, their correction, and the least that they can be: by hand, against scipy, and by trying all signs."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from waver.evaluation.significance import (
    LEVEL,
    Tails,
    holm,
    least_bootstrap_p,
    least_wilcoxon_p,
    resamples_needed,
    shift,
    wilcoxon_p,
)


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm(np.array([0.6, 0.5])), [1.0, 1.0])
    np.testing.assert_allclose(holm(np.array([0.02, 0.02, 0.9])), [0.06, 0.06, 0.9])
    assert len(holm(np.zeros(0))) == 0


def test_p_of_resamples_by_hand() -> None:
    drawn = np.array([0.3] * 97 + [-0.1, 0.0, 0.0])
    assert Tails.of(drawn).p == Tails.of(-drawn).p == pytest.approx(2 * (3 + 1) / 101)
    assert Tails.of(np.full(100, 0.5)).p == pytest.approx(2 / 101)
    assert Tails.of(np.zeros(100)).p == 1
    assert Tails.of(np.array([np.nan, 0.3, 0.1])).p == pytest.approx(2 / 3)
    assert math.isnan(Tails.of(np.array([])).p)
    assert math.isnan(Tails.of(np.array([np.nan])).p)


def test_wilcoxon_against_scipy() -> None:
    differences = np.random.default_rng(0).normal(0.3, 1, 20)
    assert wilcoxon_p(differences) == stats.wilcoxon(differences).pvalue
    # by hand: all of five above zero, 2 of the 2 ** 5 signs are as extreme
    assert wilcoxon_p(np.array([0.1, 0.2, 0.3, 0.4, 0.5])) == pytest.approx(2 / 2**5)
    many = np.append(np.tile(differences, 2), np.zeros(20))
    assert wilcoxon_p(many) == stats.wilcoxon(many, zero_method="pratt", method="asymptotic").pvalue
    assert wilcoxon_p(np.zeros(9)) == 1
    assert math.isnan(wilcoxon_p(np.zeros(0)))


def test_shift_is_the_median_of_pairwise_means() -> None:
    assert shift(np.array([1.0, 2.0, 6.0])) == pytest.approx(np.median([1, 2, 6, 1.5, 3.5, 4]))
    assert math.isnan(shift(np.zeros(0)))


@pytest.mark.parametrize(
    "differences", [[1, 1, 1, 1], [2, 0, 2, -1, 0], [3, -1, -1, 2, 1, 1], [1, 1, 1, 1, 1, 1, -1, 1]]
)
def test_wilcoxon_of_people_who_tie_is_that_of_all_signs(differences: list[int]) -> None:
    """All signs of those who differ are tried; ranks are those of scipy, zeros among them (Pratt)."""
    found = np.array(differences, float)
    ranks = stats.rankdata(np.abs(found))[found != 0]
    reached = ranks[found[found != 0] > 0].sum()
    sums = np.array([ranks[np.array(signs)].sum() for signs in product((False, True), repeat=len(ranks))])
    expected = min(1, 2 * min(np.mean(sums <= reached), np.mean(sums >= reached)))
    assert wilcoxon_p(found / 7) == pytest.approx(expected)
    assert wilcoxon_p(-found / 7) == pytest.approx(expected)


@pytest.mark.parametrize("people", [1, 2, 5, 6, 14, 50])
def test_no_people_give_wilcoxon_less_than_its_least_p(people: int) -> None:
    agreeing = np.random.default_rng(people).random(people) + 0.1
    for differences in (agreeing, np.ones(people), np.round(agreeing, 1)):
        assert wilcoxon_p(differences) == pytest.approx(least_wilcoxon_p(people))


@pytest.mark.parametrize("count", [100, 250, 1000])
@pytest.mark.parametrize("family", [1, 4, 26, 40, 300])
def test_resamples_suffice_for_any_family(count: int, family: int) -> None:
    needed = resamples_needed(family, count)
    assert needed >= count
    # four resamples on the wrong side, and a score that is defined in 40 % of them
    for tails in (Tails(needed, 4, needed - 4), Tails(int(0.4 * needed), 0, needed)):
        assert family * tails.p < LEVEL


def test_few_methods_need_no_more_resamples() -> None:
    assert [resamples_needed(family, 1000) for family in (1, 5, 6, 26)] == [1000, 1000, 1200, 5200]


def test_resamples_in_parts_are_those_of_the_whole() -> None:
    drawn = np.array([0.2, np.nan, -0.1, 0.0, 0.3, np.nan, 0.1])
    whole = Tails.of(drawn)
    assert whole == Tails(5, 2, 4) == Tails.of(drawn[:3]) + Tails.of(drawn[3:])
    assert whole.p == 1.0
    assert math.isnan(Tails().p)


def test_resamples_make_no_certainty_of_few_people() -> None:
    assert least_bootstrap_p(10_000, 4) == 2 * 0.5**4
    assert least_bootstrap_p(999, 40) == 2 / 1000
    assert least_bootstrap_p(0, 1) == 1
