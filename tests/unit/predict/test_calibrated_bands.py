"""Bands of probabilities, chosen on val."""

import numpy as np
import pytest
from scipy.special import expit

from waver.predict.bands import LIKELY, UNLIKELY, calibrate
from waver.predict.result import Bands

RNG = np.random.default_rng(0)


def drawn(n=4000, scale=2.0):
    """Margins under which A/H is as frequent as they say, each twice as large as it should be; forty people."""
    margin = RNG.normal(0, 3, n)
    return margin * scale, (RNG.random(n) < expit(margin)).astype(int), np.arange(n) % 40


def test_limits_are_where_the_shares_are():
    margin, label, person = drawn()
    found = calibrate(margin, label, person, 5)
    assert found.temperature == pytest.approx(2, rel=0.1)
    assert found.low == pytest.approx(UNLIKELY, abs=0.06)
    assert found.high == pytest.approx(LIKELY, abs=0.06)
    assert found.threshold == pytest.approx(0.5, abs=0.1)
    shares = {name: band["share"] for name, band in found.observed.items()}
    assert shares["unlikely"] <= UNLIKELY < shares["unclear"] < LIKELY <= shares["likely"]
    assert sum(band["items"] for band in found.observed.values()) == len(label)
    assert np.allclose(found.probability(margin), expit(margin / found.temperature))


def test_a_model_that_knows_nothing_always_abstains():
    label, person = RNG.integers(0, 2, 2000), np.arange(2000) % 10
    found = calibrate(RNG.normal(0, 0.1, 2000), label, person, 5)
    assert found.observed["unclear"]["items"] >= 0.98 * len(label)


@pytest.mark.parametrize("label", [[], [1, 1, 1], [0, 0, 0]])
def test_where_val_cannot_decide_nothing_is_claimed(label):
    found = calibrate(np.arange(len(label), dtype=float), np.array(label), np.zeros(len(label)), 1)
    assert (found.temperature, found.threshold, found.bands) == (1.0, 0.5, Bands(0.0, 2.0))
    assert [found.bands.of(p) for p in (0.0, 0.5, 1.0)] == ["unclear"] * 3


def test_a_perfect_model_leaves_the_gap_unclear():
    margin, label = np.array([-3.0, -2, 2, 3]), np.array([0, 0, 1, 1])
    found = calibrate(margin, label, np.arange(4), 3)
    assert found.temperature == 1
    low, high = found.probability(np.array([-2.0, 2.0]))
    assert [found.bands.of(p) for p in (low, (low + high) / 2, high)] == ["unlikely", "unclear", "likely"]
    assert found.observed["likely"] == {"items": 2, "participants": 2, "share": None}
