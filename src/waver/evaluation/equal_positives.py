"""Scores with as many items called positive as there are positives: methods differ in how many they call."""

from __future__ import annotations

import numpy as np

from waver.evaluation.metrics import Array, avgf1_of, f1_of, ranked


def _first_hits(probability: Array, label: Array) -> tuple[Array, Array]:
    """Positives of each distinct probability within the first P ranks, and the precision they have there.

    P is the number of positives. Of items that tie at rank P as many count as fit, positives in their share.
    """
    if not np.any(label > 0.5):
        return np.zeros(1), np.zeros(1)
    tp, fp = ranked(probability, label)
    positive, size = np.diff(tp, prepend=0.0), np.diff(tp + fp, prepend=0.0)
    hits = positive * np.clip((tp[-1] - (tp + fp - size)) / size, 0, 1)
    return hits, (tp - positive + hits) / np.minimum(tp + fp, tp[-1])


def equal_counts(hits: Array, positive: Array, negative: Array) -> Array:
    """Confusion counts [..., 4] where ``hits`` of as many predicted positives as there are positives are right."""
    missed = positive - hits
    return np.stack([hits, missed, missed, negative - missed], axis=-1)


def _equal(probability: Array, label: Array) -> Array:
    positive = np.asarray(np.count_nonzero(label > 0.5), np.float64)
    return equal_counts(_first_hits(probability, label)[0].sum(), positive, len(label) - positive)


def f1_equal(probability: Array, label: Array) -> float:
    """F1 with the P highest probabilities predicted positive, P the number of positives: precision at P.

    Items that tie at rank P give the expected number of hits, the mean over random orders of them.
    """
    return float(f1_of(_equal(probability, label)))


def avgf1_equal(probability: Array, label: Array) -> float:
    """Unweighted mean of both classes' F1 with as many predicted positive as are; see ``f1_equal``."""
    return float(avgf1_of(_equal(probability, label)))


def average_precision_equal(probability: Array, label: Array) -> float:
    """Average precision of the P highest probabilities: precisions at the hits, summed and divided by P.

    ``average_precision`` cut at rank P, with its rule for ties: hits that tie share the precision at the end
    of their tie, or at rank P where that comes first. A constant has the square of the prevalence.
    """
    hits, precision = _first_hits(probability, label)
    total = np.count_nonzero(label > 0.5)
    return float((hits * precision).sum() / total) if total else float("nan")
