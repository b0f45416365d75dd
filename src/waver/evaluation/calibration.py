"""Scores of calibration, and temperature scaling, which improves them.

Temperature scaling divides the logit margin by T > 0: it changes neither the ranking nor a decision at .5,
and so no score but those of calibration. T is fitted on margins of other people than those that it is applied to
(``waver.evaluation.reliability``).
"""

from __future__ import annotations

import logging

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

from waver.io.zarr_store import Array

log = logging.getLogger(__name__)

BINS = 15
"""Equal-mass bins of ECE and of the reliability curve."""

HELD = 1e-12
"""Least distance of a probability from 0 and 1 where its logarithm is taken."""

LEAST, MOST = 0.01, 100.0
"""Temperatures sought between; a separable prediction has none, nor has one that runs against the labels."""


def brier(probability: Array, label: Array) -> float:
    """Mean squared difference between probability and label."""
    return float(np.mean((probability - label) ** 2)) if len(label) else float("nan")


def log_loss(probability: Array, label: Array) -> float:
    """Mean negative log likelihood in nats, probabilities kept ``HELD`` away from 0 and 1."""
    held = np.clip(np.where(label > 0.5, probability, 1 - probability), HELD, 1)
    return float(-np.log(held).mean()) if len(label) else float("nan")


def mass_edges(probability: Array, bins: int = BINS) -> Array:
    """Lowest probability of each of at most ``bins`` bins that hold equally many items, ascending.

    Equal probabilities stay in one bin, so that ties make bins fewer and unequal.
    """
    ranked = np.sort(probability)
    return np.unique(ranked[np.arange(bins if len(ranked) else 0) * len(ranked) // bins])


def bin_of(probability: Array, edges: Array) -> Array:
    """Bin of each probability, int64 [n]; the first one where it is below the lowest edge."""
    return np.maximum(np.searchsorted(edges, probability, side="right") - 1, 0)


def ece(probability: Array, label: Array, edges: Array | None = None) -> float:
    """Expected calibration error: mean over items of the gap between mean probability and share in their bin.

    Args:
        probability: float [n].
        label: [n], 0 or 1.
        edges: of the bins; BINS of equal mass if not given.
    """
    bins = bin_of(probability, mass_edges(probability) if edges is None else edges)
    gap = np.bincount(bins, probability - label)
    return float(np.abs(gap).sum() / len(label)) if len(label) else float("nan")


def margin_of(probability: Array) -> Array:
    """Logit margin of each probability, float64 [n]; of a mean over seeds it is that of the mean."""
    margin: Array = logit(np.clip(probability, HELD, 1 - HELD))
    return margin


def temperature(margin: Array, label: Array) -> float:
    """Temperature T that minimises the log loss of ``expit(margin / T)``.

    The loss is convex in 1 / T: T is where its derivative, the mean of margin x (probability - label), is 0.

    Args:
        margin: float [n], logit of A/H minus logit of no A/H.
        label: [n], 0 or 1.

    Returns:
        T between LEAST and MOST, at the bound where no inner T is best; nan without items and for a constant,
        which no scaling improves.
    """
    if not len(margin) or margin.min() == margin.max():
        return float("nan")

    def slope(inverse: float) -> float:
        return float(np.mean(margin * (expit(margin * inverse) - label)))

    if slope(1 / MOST) >= 0:
        log.warning("the margins do not agree with the labels, so the temperature is limited to %g", MOST)
        return MOST
    if slope(1 / LEAST) <= 0:
        return LEAST
    return float(1 / brentq(slope, 1 / MOST, 1 / LEAST, xtol=1e-10))


def tempered(margin: Array, temperature: Array | float) -> Array:
    """Probability of each margin at a temperature, float64 [n]."""
    probability: Array = expit(margin / temperature)
    return probability
