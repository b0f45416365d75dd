"""p-values of paired differences, their correction for many methods, and the least p that a test can give.

A test of few people, or of few resamples, has a least p above zero. Holm's correction over a family of m multiplies it
by m: above ``LEVEL``, no difference can be found, however large. More resamples can be drawn
(``resamples_needed``, Davison & Hinkley 1997, section 4.2.5: the test loses power where R is small); people cannot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from waver.io.zarr_store import Array

LEVEL = 0.05
"""Accepted chance of any false claim among the methods of a family."""

FINEST = LEVEL / 5
"""Least corrected p that the resamples must be able to give.

At LEVEL itself a single resample on the wrong side would hide a difference; at a fifth, four do not. And a score for
which two certain people must be drawn, one with A/H and one without, is defined in 40 % of the resamples alone."""

_EXACT = 50
"""People up to whom Wilcoxon's null distribution is counted out."""


@dataclass(frozen=True)
class Tails:
    """Resamples of a difference, counted.

    Attributes:
        known: those in which it is defined.
        below, above: of these, at or below zero, and at or above.
    """

    known: int = 0
    below: int = 0
    above: int = 0

    @classmethod
    def of(cls, drawn: Array) -> Tails:
        """Those of the differences float64 [n] of n resamples; undefined ones are nan."""
        known = drawn[np.isfinite(drawn)]
        return cls(len(known), int(np.count_nonzero(known <= 0)), int(np.count_nonzero(known >= 0)))

    def __add__(self, other: Tails) -> Tails:
        return Tails(self.known + other.known, self.below + other.below, self.above + other.above)

    @property
    def p(self) -> float:
        """Two-sided p, ``2 min(k + 1) / (n + 1)``, at most 1, k being ``below`` or ``above``; nan without resamples."""
        if not self.known:
            return math.nan
        return min(1.0, 2 * (min(self.below, self.above) + 1) / (self.known + 1))


def resamples_needed(family: int, count: int) -> int:
    """Resamples that bring the least p after Holm over ``family`` methods to FINEST, ``count`` at the least."""
    if 2 * family <= FINEST * (count + 1):
        return count
    return max(count, math.ceil(2 * family / FINEST))


def least_bootstrap_p(resamples: float, people: int) -> float:
    """Least p of a paired bootstrap that may be believed.

    No resample crosses zero where everybody leans to one side. Of people who lean to either side like a coin, all
    do so with chance ``2 ** (1 - people)``, and no number of resamples makes that a smaller one.

    Args:
        resamples: those in which the difference is defined.
        people: participants drawn.
    """
    return min(1.0, max(2 / (resamples + 1), least_wilcoxon_p(people)))


def wilcoxon_p(differences: Array) -> float:
    """Two-sided p of Wilcoxon's signed-rank test; 1 where nobody differs, nan without people.

    Zeros by Pratt's rule. The null distribution is counted out up to 50 people, with the ties and zeros that there
    are. The normal approximation, used for more people, gives four who agree a p of .046, where their signs can
    give no less than .125; and fourteen with a tie none below .001, which no correction over fifty methods lets pass.
    """
    if not len(differences):
        return math.nan
    # sums of counts differ in the last bits: what is equal must tie
    rounded = np.round(differences, 12)
    if not rounded.any():
        return 1.0
    if len(rounded) > _EXACT:
        return float(stats.wilcoxon(rounded, zero_method="pratt", method="asymptotic").pvalue)
    return _counted(rounded)


def _counted(differences: Array) -> float:
    """The same from all 2 ** n choices of signs of the n people who differ, in float64 that holds such counts."""
    differs = differences != 0
    doubled = np.round(2 * stats.rankdata(np.abs(differences))).astype(np.int64)  # mid-ranks are halves
    ways = np.zeros(doubled[differs].sum() + 1)
    ways[0] = 1
    for rank in doubled[differs]:
        ways[rank:] += ways[:-rank].copy()
    reached = doubled[differences > 0].sum()
    tail = min(ways[: reached + 1].sum(), ways[reached:].sum())
    return float(min(1.0, 2 * tail / ways.sum()))


def least_wilcoxon_p(people: int) -> float:
    """Least two-sided p of Wilcoxon's test: all people differ to one side; above 50 people it is below 1e-9."""
    return min(1.0, 2.0 ** (1 - people))


def shift(differences: Array) -> float:
    """Hodges-Lehmann shift: median of the means of all pairs of differences, each with itself among them."""
    if not len(differences):
        return math.nan
    first, second = np.triu_indices(len(differences))
    return float(np.median((differences[first] + differences[second]) / 2))


def holm(p: Array) -> Array:
    """Step-down correction of Holm (1979) of p-values float64 [m]; controls the chance of any false claim.

    Of the least p that each test can give, these are the least corrected ones: none falls if a p rises.
    """
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted
