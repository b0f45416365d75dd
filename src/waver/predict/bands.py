"""What is said of a probability in words: unlikely, unclear or likely, with limits chosen on the val split.

A probability is calibrated by a temperature first (``waver.evaluation.calibration``). An isotonic regression on the val
split then tells how many items with a probability like this one are A/H: from ``LIKELY`` on they are likely, up to
``UNLIKELY`` unlikely. What lies between is unclear: the model abstains. A model that never reaches a share has no such
band, and abstains more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn.isotonic import IsotonicRegression

from waver.evaluation.calibration import LEAST, MOST, temperature, tempered
from waver.evaluation.metrics import COUNT_METRICS
from waver.io.zarr_store import Array
from waver.predict.result import Bands

LIKELY, UNLIKELY = 0.8, 0.1
"""Shares of A/H among items of the val split with the probability of a limit: at least, at most."""

_NEVER = Bands(0.0, 2.0)
"""Limits that no probability is beyond: the model always abstains."""


@dataclass(frozen=True)
class Calibration:
    """How a margin is read.

    Attributes:
        temperature: that the margin is divided by.
        threshold: calibrated probability above which A/H is called with the best AVGF1 on val.
        low: below it A/H is unlikely; 0 where nothing is.
        high: from it on A/H is likely; above 1 where nothing is.
        observed: band -> ``items``, ``participants`` and ``share`` of A/H on val; share None where it would rest on too
            few people.
    """

    temperature: float
    threshold: float
    low: float
    high: float
    observed: Mapping[str, Mapping[str, Any]]

    def probability(self, margin: Array) -> Array:
        """Calibrated probability of A/H, float64 of the margins' shape."""
        return tempered(np.asarray(margin, np.float64), self.temperature)

    @property
    def bands(self) -> Bands:
        """The limits, as results of recordings have them."""
        return Bands(self.low, self.high)

    def state(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def calibrate(margin: Array, label: Array, participant: Array, least_group: int) -> Calibration:
    """Temperature, threshold and limits from the val split.

    Args:
        margin: float64 [n], logit of A/H minus logit of none.
        label: [n], 0 or 1.
        participant: [n], whose item it is.
        least_group: shares that rest on fewer people are withheld.

    Returns:
        With a temperature of 1 where val has no best one; with a threshold of .5 and everything unclear where it has no
        item, or one class.
    """
    both = len(label) > 0 and 0 < np.mean(label) < 1
    found = temperature(margin, label) if both else 1.0
    # at a bound no temperature is best: val is told apart without a mistake, or not at all
    found = found if LEAST < found < MOST else 1.0
    probability = tempered(np.asarray(margin, np.float64), found)
    threshold = _best_threshold(probability, label) if both else 0.5
    bands = _limits(probability, label) if both else _NEVER
    return Calibration(found, threshold, *bands, _observed(probability, bands, label, participant, least_group))


def _limits(probability: Array, label: Array) -> Bands:
    share = IsotonicRegression(y_min=0, y_max=1).fit_transform(probability, label)
    unlikely, likely = probability[share <= UNLIKELY], probability[share >= LIKELY]
    # just above the last that is unlikely: unlikely is what lies below a limit
    low = float(np.nextafter(unlikely.max(), 1)) if len(unlikely) else _NEVER.low
    return Bands(low, float(likely.min(initial=_NEVER.high)))


def _best_threshold(probability: Array, label: Array) -> float:
    """The limit between two probabilities with the best AVGF1; of equal ones the nearest to .5."""
    distinct, owner = np.unique(probability, return_inverse=True)
    positive, items = np.bincount(owner, label), np.bincount(owner)
    # below each limit lie the items up to a distinct value: counts of true and false negatives
    negatives = np.cumsum(items - positive)[:-1]
    missed = np.cumsum(positive)[:-1]
    hit, false = positive.sum() - missed, (items - positive).sum() - negatives
    score = COUNT_METRICS["AVGF1"](np.stack([hit, false, missed, negatives], axis=-1))
    if not len(score):
        return 0.5
    limits = (distinct[:-1] + distinct[1:]) / 2
    best = np.flatnonzero(score == score.max())
    return float(limits[best[np.argmin(np.abs(limits[best] - 0.5))]])


def _observed(
    probability: Array, bands: Bands, label: Array, participant: Array, least: int
) -> dict[str, dict[str, Any]]:
    below, above = probability < bands.low, probability >= bands.high
    found = {}
    for name, part in (("unlikely", below), ("unclear", ~below & ~above), ("likely", above)):
        people = len(np.unique(participant[part]))
        share = float(np.mean(label[part])) if part.any() and people >= least else None
        found[name] = {"items": int(part.sum()), "participants": people, "share": share}
    return found
