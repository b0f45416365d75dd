"""Agreement of coders: published examples, and what holds of any codes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from waver.evaluation.agreement import alpha, kappa


def coded(*rows: str) -> np.ndarray:
    return np.array([[-1 if code == "." else int(code) for code in row] for row in rows])


def test_kappa_by_hand() -> None:
    """Of 50: both yes 20, both no 15, one yes alone 5, the other alone 10: .7 observed, .5 by chance."""
    one = np.repeat([1, 1, 0, 0], [20, 5, 10, 15])
    other = np.repeat([1, 0, 1, 0], [20, 5, 10, 15])
    assert kappa(one, other) == pytest.approx(0.4)
    assert kappa(one, one) == 1
    assert np.isnan(kappa(np.zeros(4, int), np.zeros(4, int)))
    assert np.isnan(kappa(np.zeros(0, int), np.zeros(0, int)))
    assert kappa(np.append(one, -1), np.append(other, 1)) == pytest.approx(0.4), "what one does not know is left out"


def test_kappa_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        one, other = rng.integers(0, 3, (2, 200))
        assert kappa(one, other) == pytest.approx(cohen_kappa_score(one, other))


def test_alpha_of_krippendorff_s_examples() -> None:
    """Krippendorff, Computing Krippendorff's alpha-reliability (2011): B, two coders; C, four with gaps, nominal."""
    assert alpha(coded("0100000010", "1110010000")) == pytest.approx(0.095, abs=5e-4)
    four = coded("123321412...", "1233224125.3", ".3332342251.", "12332441251.")
    assert alpha(four) == pytest.approx(0.743, abs=5e-4)


def test_alpha_of_two_by_hand() -> None:
    """Ten items, four of them different; 14 zeros and 6 ones: 1 - (20 - 1) * 8 / (2 * 14 * 6)."""
    assert alpha(coded("0100000010", "1110010000")) == pytest.approx(1 - 19 * 8 / (2 * 14 * 6))


def test_alpha_at_its_ends() -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 2, 500)
    assert alpha(np.stack([codes, codes, codes])) == 1
    assert abs(alpha(rng.integers(0, 2, (3, 20_000)))) < 0.02
    assert alpha(np.stack([codes, 1 - codes])) < -0.9
    assert np.isnan(alpha(np.zeros((3, 5), int)))
    assert np.isnan(alpha(np.full((2, 3), -1)))
    assert np.isnan(alpha(np.zeros((2, 0), int)))
    with_one = np.stack([np.append(codes, 1), np.append(codes, -1)])
    assert alpha(with_one) == 1, "a frame of one coder alone tells nothing"
