"""Scores with intervals over participants.

Frames of one person are not independent, so participants are resampled, with all
their items. A resample is a row of weights (how often each participant was drawn), and every score is
computed from per-participant parts that weights combine: confusion counts for the F1 family, histograms
for the papers' AP, counts of wrongly ordered pairs for AUROC, counts above each positive for AP. Nothing
is approximated: the scores of a resample are those of the resampled items. The first row of weights is
all ones and gives the value itself; methods scored with the same weights can be compared in pairs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from waver.evaluation import calibration, metrics
from waver.evaluation.equal_positives import equal_counts
from waver.io.zarr_store import Array
from waver.provenance import seed_for

METRICS = (
    *metrics.COUNT_METRICS,
    *("AP", "F1_equal", "AVGF1_equal", "AP_equal", "AP_paper", "AUROC", "Brier", "ECE"),
    *("AUROC_within", "AVGF1_within"),
)
"""Scores of every table, by name. The bins of ECE are those of all items scored, in every resample."""

BIASED = ("ECE", "ECE_sd")
"""Scores that chance raises, and drawing again raises once more: their intervals are moved back."""

_RANKED = {"AP", "F1_equal", "AVGF1_equal", "AP_equal"}
"""Scores that take the ranks of every resample, and so most of the time."""

_STEPS = 512
"""Ranks worked on at once; times resamples, this many float64 stay in the processor's cache."""


@dataclass(frozen=True)
class Sample:
    """Items scored together.

    Attributes:
        probability: float64 [n].
        label: uint8 [n].
        participant: int64 [n], numbers below ``participants``.
        stratum: int64 [n], the question, in a cross-validation the question and the fold: pooled over
            folds, a question's prior runs against what its fold holds out. Negative where unknown, and
            then out of the within-question scores.
        participants: number of participants S, with items or without.
    """

    probability: Array
    label: Array
    participant: Array
    stratum: Array
    participants: int

    def take(self, kept: Array) -> Sample:
        """Some of the items (mask or numbers), participants numbered as before."""
        probability, label = self.probability[kept], self.label[kept]
        return Sample(probability, label, self.participant[kept], self.stratum[kept], self.participants)

    @property
    def has_positive(self) -> Array:
        """Participants with a positive item, bool [S]."""
        return np.bincount(self.participant[self.label > 0], minlength=self.participants) > 0


def resamples(participants: int, count: int, *names: object) -> Array:
    """Weights of the participants: a row of ones, then ``count`` draws with replacement.

    Args:
        participants: S.
        count: resamples R.
        names: parts of the seed.

    Returns:
        float64 [R + 1, S], each row with sum S. Of fewer than two participants the row of ones alone:
        one person drawn again and again would give an interval without width, as if all were certain.
    """
    ones = np.ones((1, participants))
    if participants < 2:
        return ones
    return np.concatenate([ones, drawn(np.random.default_rng(seed_for(*names)), participants, count)])


def drawn(rng: np.random.Generator, participants: int, count: int) -> Array:
    """The next ``count`` draws with replacement, float64 [count, S]."""
    return rng.multinomial(participants, np.full(participants, 1 / participants), size=count).astype(np.float64)


def interval(values: Array, biased: bool = False) -> tuple[float, float, float]:
    """Value, low and high (2.5 and 97.5 %) from the values [R + 1] of ``resamples``' rows.

    Resamples in which the score is undefined are left out; where the value itself is, so is all. Those of
    a ``biased`` score (BIASED) are moved so that their mean is the value, and held at 0 below.
    """
    known = values[1:][np.isfinite(values[1:])]
    if not np.isfinite(values[0]) or not len(known):
        return float(values[0]), float("nan"), float("nan")
    if biased:
        known = np.maximum(known - known.mean() + values[0], 0)
    low, high = np.percentile(known, (2.5, 97.5))
    return float(values[0]), float(low), float(high)


def scores(sample: Sample, weights: Array, wanted: Collection[str] = METRICS) -> dict[str, Array]:
    """Every score of the pooled items under each row of weights.

    Args:
        sample: the items.
        weights: float64 [R, S].
        wanted: METRICS without which the result is of no use; others may be missing.

    Returns:
        METRICS name -> float64 [R].
    """
    cells = _cells(sample)
    counts = weights @ cells.sum(axis=1).reshape(sample.participants, 4)
    values = {name: metric(counts.reshape(-1, 4)) for name, metric in metrics.COUNT_METRICS.items()}
    positive, negative = counts[:, 0] + counts[:, 2], counts[:, 1] + counts[:, 3]
    if not _RANKED.isdisjoint(wanted):
        ranked, wrong = _ranking(sample, weights)
        values |= ranked
    else:
        wrong = _wrong_pairs(sample)
    if "AP_paper" in wanted:
        values["AP_paper"] = _paper(sample, weights)
    values["AUROC"] = 1 - _quotient(_quadratic(weights, wrong), positive * negative)
    if not {"Brier", "ECE"}.isdisjoint(wanted):
        values |= _calibration(sample, weights)
    return values | _within(sample, weights, cells)


def participant_scores(sample: Sample) -> dict[str, Array]:
    """Every score of each participant alone, nan for those without a positive item; float64 [S] each."""
    known = np.where(sample.has_positive, 0.0, np.nan)
    return {name: values + known for name, values in scores(sample, np.eye(sample.participants)).items()}


def mean_scores(sample: Sample, weights: Array) -> dict[str, Array]:
    """Mean and standard deviation of the participants' own scores under each row of weights.

    Participants for whom a score is undefined are left out of it, those without positives of all. Where
    it is defined for one person alone, it has no interval: all rows but the first are nan.

    Args:
        sample: the items.
        weights: float64 [R, S], as ``resamples`` makes them.

    Returns:
        METRICS name, and name with ``_sd`` (sample standard deviation) -> float64 [R].
    """
    return means(participant_scores(sample), weights)


def means(own: Mapping[str, Array], weights: Array) -> dict[str, Array]:
    """The same from the participants' own scores, float64 [S] each, some or all of them."""
    values: dict[str, Array] = {}
    for name, score in own.items():
        known = np.isfinite(score)
        weight, score = weights[:, known], score[known]
        people = weight.sum(axis=1)
        mean = _quotient(weight @ score, people)
        if len(score) < 2:
            mean[1:] = np.nan
        spread = (weight * (score - mean[:, None]) ** 2).sum(axis=1)
        values |= {name: mean, f"{name}_sd": np.sqrt(_quotient(spread, people - 1))}
    return values


def _cells(sample: Sample) -> Array:
    """Confusion counts per participant and question, float64 [S, Q, 4]; unknown questions come last."""
    questions = np.unique(sample.stratum[sample.stratum >= 0])
    column = np.where(sample.stratum >= 0, np.searchsorted(questions, sample.stratum), len(questions))
    cell = metrics.confusion_cells(sample.probability, sample.label)
    shape = (sample.participants, len(questions) + 1, 4)
    index = np.ravel_multi_index((sample.participant, column, cell), shape) if len(cell) else cell
    return np.bincount(index, minlength=int(np.prod(shape))).reshape(shape).astype(np.float64)


def _within(sample: Sample, weights: Array, cells: Array) -> dict[str, Array]:
    """Scores inside each question, averaged with weights positives x negatives."""
    counts = np.einsum("rs,sqc->rqc", weights, cells[:, :-1], optimize=True)
    pairs = (counts[..., 0] + counts[..., 2]) * (counts[..., 1] + counts[..., 3])
    wrong = np.zeros((sample.participants, sample.participants))
    for question in np.unique(sample.stratum[sample.stratum >= 0]):
        wrong += _wrong_pairs(sample.take(sample.stratum == question))
    total = pairs.sum(axis=1)
    average = (np.nan_to_num(metrics.avgf1_of(counts)) * pairs).sum(axis=1)
    return {
        "AUROC_within": 1 - _quotient(_quadratic(weights, wrong), total),
        "AVGF1_within": _quotient(average, total),
    }


def _paper(sample: Sample, weights: Array) -> Array:
    shape = (2, sample.participants, metrics.BINS)
    bins = metrics.threshold_bins(sample.probability)
    index = np.ravel_multi_index((sample.label.astype(np.int64), sample.participant, bins), shape)
    negative, positive = np.bincount(index, minlength=int(np.prod(shape))).reshape(shape).astype(np.float64)
    return metrics.average_precision_of(weights @ positive, weights @ negative)


def _calibration(sample: Sample, weights: Array) -> dict[str, Array]:
    """Brier score and ECE; bins of the latter are made once, from all items, and kept in every resample."""
    people, edges = sample.participants, calibration.mass_edges(sample.probability)
    gap = sample.probability - sample.label
    size = weights @ np.bincount(sample.participant, minlength=people)
    squares = weights @ np.bincount(sample.participant, gap**2, minlength=people)
    bins = max(len(edges), 1)
    cell = sample.participant * bins + calibration.bin_of(sample.probability, edges)
    gaps = weights @ np.bincount(cell, gap, minlength=people * bins).reshape(people, bins)
    return {"Brier": _quotient(squares, size), "ECE": _quotient(np.abs(gaps).sum(axis=1), size)}


def _ranking(sample: Sample, weights: Array) -> tuple[dict[str, Array], Array]:
    """Scores of the ranking, [R] each, and the wrongly ordered pairs [S, S] (see ``_wrong_pairs``)."""
    area, first_area, first_hits = np.zeros((3, len(weights)))
    wrong = np.zeros((sample.participants, sample.participants))
    columns = np.ascontiguousarray(weights.T)
    positives = np.bincount(sample.participant, sample.label, minlength=sample.participants) @ columns
    everyone = np.bincount(sample.participant, minlength=sample.participants) @ columns
    for positive, above, positive_above, tied in _steps(sample):
        wrong += positive.T @ (above - positive_above - tied / 2)
        hits, reached, right = positive @ columns, above @ columns, positive_above @ columns
        area += np.einsum("gr,gr->r", hits, right / np.maximum(reached, 1))
        size = hits + tied @ columns
        if (reached[0] - size[0] >= positives).all():
            continue  # below the first P ranks, P the number of positives, in every resample
        first, precision = _first(hits, right, reached, np.maximum(size, 1), positives)
        first_hits += first.sum(axis=0)
        first_area += np.einsum("gr,gr->r", first, precision)
    counts = equal_counts(first_hits, positives, everyone - positives)
    ranked = {"AP": _quotient(area, positives), "F1_equal": metrics.f1_of(counts)}
    ranked |= {"AVGF1_equal": metrics.avgf1_of(counts), "AP_equal": _quotient(first_area, positives)}
    return ranked, wrong


def _first(hits: Array, right: Array, reached: Array, size: Array, positives: Array) -> tuple[Array, Array]:
    """Hits within the first P ranks and the precision they have there; see ``metrics.f1_equal`` for ties."""
    first = hits * np.clip((positives - reached + size) / size, 0, 1)
    return first, (right - hits + first) / np.maximum(np.minimum(reached, positives), 1)


def _wrong_pairs(sample: Sample) -> Array:
    """Pairs (positive of s, negative of t) in the wrong order, ties counting half; float64 [S, S]."""
    wrong = np.zeros((sample.participants, sample.participants))
    for positive, above, positive_above, tied in _steps(sample):
        wrong += positive.T @ (above - positive_above - tied / 2)
    return wrong


def _steps(sample: Sample) -> Iterator[tuple[Array, Array, Array, Array]]:
    """Go down the distinct probabilities that a positive has, some at a time.

    Yields:
        Per probability and participant, float64 [g, S]: positives that have it, items at or above it,
        positives at or above it, negatives that have it.
    """
    order = np.argsort(-sample.probability, kind="stable")
    ranked, actual = sample.probability[order], sample.label[order] > 0
    who = sample.participant[order]
    group = np.cumsum(np.diff(ranked, prepend=ranked[:1]) != 0)
    kept = np.zeros(group[-1] + 1 if len(group) else 0, bool)
    kept[group[actual]] = True
    # an item belongs to the first kept probability at or below its own; those below all are not needed
    step = (np.cumsum(kept) - kept)[group]
    tied = kept[group] & ~actual
    bounds = np.searchsorted(step, np.arange(0, kept.sum() + _STEPS, _STEPS))
    before = np.zeros((2, sample.participants))
    for number, (low, high) in enumerate(pairwise(bounds)):
        first = number * _STEPS
        rows = min(_STEPS, int(kept.sum()) - first)
        part = slice(low, high)
        cell = (step[part] - first) * sample.participants + who[part]
        inside = step[part] < first + rows
        counts = [
            np.bincount(cell[inside & flags], minlength=rows * sample.participants).reshape(rows, -1)
            for flags in (actual[part], np.ones(high - low, bool), tied[part])
        ]
        above = before[0] + np.cumsum(counts[1], axis=0)
        positive_above = before[1] + np.cumsum(counts[0], axis=0)
        before = np.stack([above[-1], positive_above[-1]])
        yield counts[0].astype(np.float64), above, positive_above, counts[2].astype(np.float64)


def _quadratic(weights: Array, pairs: Array) -> Array:
    value: Array = ((weights @ pairs) * weights).sum(axis=1)
    return value


def _quotient(numerator: Array, denominator: Array) -> Array:
    start = np.full(denominator.shape, np.nan)
    value: Array = np.divide(numerator, denominator, out=start, where=denominator > 0)
    return value
