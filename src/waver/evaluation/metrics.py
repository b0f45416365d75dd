"""Scores of a binary prediction, each ``f(probability, label) -> float``.

A score that its inputs do not define (AP without positives, AUROC with one class, UAR with one class,
anything of nothing) is nan; F1 of a class that is neither present nor predicted is 0, as in the dataset
paper's tables. An item is predicted positive where probability > .5: with two logits, argmax gives a tie
to class 0.

Everything rests on two cores that the bootstrap uses with weights: confusion counts ``[..., 4]`` for the
F1 family and WAR, histograms ``[..., BINS]`` over a grid of thresholds for the papers' average precision.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

THRESHOLDS = np.arange(0, 1, 0.001)
"""Thresholds of the papers' average precision: 0 to .999."""

BINS = len(THRESHOLDS) + 1
"""Bin b holds the probabilities that reach exactly b of the thresholds; 0 also holds nan."""


# confusion counts -------------------------------------------------------------------------------


def confusion_cells(probability: Array, label: Array) -> Array:
    """Cell of each item: 0 true positive, 1 false positive, 2 false negative, 3 true negative.

    Args:
        probability: float [n], of class 1.
        label: [n], 0 or 1 of any numeric type.

    Returns:
        int64 [n].
    """
    predicted, actual = probability > 0.5, label > 0.5
    return np.where(predicted, np.where(actual, 0, 1), np.where(actual, 2, 3)).astype(np.int64)


def confusion(probability: Array, label: Array) -> Array:
    """Counts float64 [4]: true positives, false positives, false negatives, true negatives."""
    return np.bincount(confusion_cells(probability, label), minlength=4).astype(np.float64)


def _ratio(numerator: Array, denominator: Array, otherwise: float) -> Array:
    start = np.full(np.shape(denominator), otherwise)
    share: Array = np.divide(numerator, denominator, out=start, where=denominator > 0)
    return share


def _defined(value: Array, counts: Array) -> Array:
    return np.where(counts.sum(-1) > 0, value, np.nan)


def f1_of(counts: Array) -> Array:
    """F1 of class 1 from counts [..., 4]; 0 where class 1 is neither present nor predicted."""
    tp, fp, fn, _ = np.moveaxis(counts, -1, 0)
    return _defined(_ratio(2 * tp, 2 * tp + fp + fn, 0.0), counts)


def f1_negative_of(counts: Array) -> Array:
    """F1 of class 0 from counts [..., 4]."""
    return f1_of(counts[..., ::-1])


def avgf1_of(counts: Array) -> Array:
    """Unweighted mean of both classes' F1 from counts [..., 4] (AVGF1 of the 2026 paper)."""
    return (f1_of(counts) + f1_negative_of(counts)) / 2


def wf1_of(counts: Array) -> Array:
    """Mean of both classes' F1 weighted by how many items they have, from counts [..., 4]."""
    tp, fp, fn, tn = np.moveaxis(counts, -1, 0)
    return _ratio((tp + fn) * f1_of(counts) + (fp + tn) * f1_negative_of(counts), counts.sum(-1), np.nan)


def war_of(counts: Array) -> Array:
    """Recall of the classes weighted by how many items they have, from counts [..., 4]; it is the accuracy."""
    return _ratio(counts[..., 0] + counts[..., 3], counts.sum(-1), np.nan)


def uar_of(counts: Array) -> Array:
    """Unweighted mean of both classes' recall from counts [..., 4]; nan where a class is absent."""
    tp, fp, fn, tn = np.moveaxis(counts, -1, 0)
    return (_ratio(tp, tp + fn, np.nan) + _ratio(tn, tn + fp, np.nan)) / 2


COUNT_METRICS: dict[str, Callable[[Array], Array]] = {
    "F1": f1_of,
    "F1_negative": f1_negative_of,
    "AVGF1": avgf1_of,
    "WF1": wf1_of,
    "WAR": war_of,
    "UAR": uar_of,
}
"""Scores that confusion counts decide, by their names in the tables."""


def f1(probability: Array, label: Array) -> float:
    """F1 of class 1. See ``confusion_cells`` for the arguments of this and of all that follow."""
    return float(f1_of(confusion(probability, label)))


def f1_negative(probability: Array, label: Array) -> float:
    """F1 of class 0."""
    return float(f1_negative_of(confusion(probability, label)))


def avgf1(probability: Array, label: Array) -> float:
    """Unweighted mean of both classes' F1."""
    return float(avgf1_of(confusion(probability, label)))


def wf1(probability: Array, label: Array) -> float:
    """Mean of both classes' F1 weighted by class size."""
    return float(wf1_of(confusion(probability, label)))


def war(probability: Array, label: Array) -> float:
    """Weighted average recall, which is the accuracy."""
    return float(war_of(confusion(probability, label)))


def uar(probability: Array, label: Array) -> float:
    """Unweighted average recall."""
    return float(uar_of(confusion(probability, label)))


# average precision on the papers' grid of thresholds -----------------------------------------------


def released_probability(logits: Array) -> Array:
    """Probability of class 1 as the released evaluation makes it: softmax in the logits' own precision.

    Nothing is subtracted before exp, so that logits above 11.09 in float16 or 88.7 in float32 give nan,
    which no threshold reaches. For parity only; probabilities of this package are float64 and finite.

    Args:
        logits: float16, float32 or float64 [n, 2].

    Returns:
        [n], in the type of ``logits``.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        power = np.exp(logits)
        share: Array = power[:, 1] / power.sum(axis=1)
    return share


def threshold_bins(probability: Array) -> Array:
    """How many of THRESHOLDS each probability reaches; int64 [n] in 0 ... BINS - 1.

    Thresholds are compared in the probability's own precision, as NumPy 1 does in the released code.
    """
    grid = THRESHOLDS.astype(probability.dtype)
    known = np.nan_to_num(probability, nan=-1.0)
    # the product's rounding may miss by one step, which the two comparisons mend
    step = np.clip(known * probability.dtype.type(1000), 0, BINS - 2).astype(np.int64)
    above = np.append(grid[1:], np.inf)
    bins: Array = step + (grid[step] <= known) + (above[step] <= known)
    return bins


def average_precision_of(positive: Array, negative: Array) -> Array:
    """The papers' average precision from histograms over ``threshold_bins``.

    Args:
        positive: items of class 1 per bin, [..., BINS].
        negative: items of class 0 per bin, [..., BINS].

    Returns:
        [...]; nan where there is no positive.
    """
    tp, fp = _reached(positive), _reached(negative)
    precision = _ratio(tp, tp + fp, 0.0)
    area = ((tp[..., :-1] - tp[..., 1:]) * (precision[..., :-1] + precision[..., 1:])).sum(-1) / 2
    return _ratio(area, positive.sum(-1), np.nan)


def _reached(histogram: Array) -> Array:
    reached: Array = np.cumsum(histogram[..., :0:-1], axis=-1, dtype=np.float64)[..., ::-1]
    return reached


def average_precision_paper(probability: Array, label: Array) -> float:
    """Average precision of the papers' released evaluation; nan without positives.

    Trapezoids under precision over recall at THRESHOLDS, precision 0 where nothing is predicted. It is
    half the prevalence for a constant and 0 for a perfect but saturated prediction: report it beside
    ``average_precision``.
    """
    index = threshold_bins(probability) + BINS * (label > 0.5)
    negative, positive = np.bincount(index, minlength=2 * BINS).reshape(2, BINS)
    return float(average_precision_of(positive, negative))


# ranking ----------------------------------------------------------------------------------------


def ranked(probability: Array, label: Array) -> tuple[Array, Array]:
    """Positives and negatives at or above each distinct probability, highest first."""
    order = np.argsort(-probability, kind="stable")
    ranked = probability[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    tp = np.cumsum(label[order] > 0.5)[last].astype(np.float64)
    return tp, last + 1.0 - tp


def average_precision(probability: Array, label: Array) -> float:
    """Average precision as a sum of steps over all distinct probabilities; nan without positives."""
    if not np.any(label > 0.5):
        return float("nan")
    tp, fp = ranked(probability, label)
    return float((np.diff(tp, prepend=0.0) * tp / (tp + fp)).sum() / tp[-1])


def auroc(probability: Array, label: Array) -> float:
    """Share of (positive, negative) pairs in the right order, ties counting half; nan with one class."""
    pairs = _pairs(label)
    return _pairs_right(probability, label) / pairs if pairs else float("nan")


def _pairs(label: Array) -> float:
    positives = int(np.count_nonzero(label > 0.5))
    return float(positives * (len(label) - positives))


def _pairs_right(probability: Array, label: Array) -> float:
    tp, fp = ranked(probability, label)
    wrong = np.diff(tp, prepend=0.0) * (fp - np.diff(fp, prepend=0.0) / 2)
    return _pairs(label) - float(wrong.sum())


# inside questions -------------------------------------------------------------------------------


def auroc_within(probability: Array, label: Array, group: Array) -> float:
    """AUROC inside each group, averaged with weights positives x negatives.

    With the question asked as the group, what the question predicts counts nothing: a constant per
    question scores .5. Where several fitted models predict (folds), a group is a question of one fold:
    pooled over folds, the prior of a question is anti-correlated with what its fold holds out.

    Args:
        probability: float [n].
        label: [n], 0 or 1.
        group: int [n], any numbers.
    """
    return _within(_pairs_right, probability, label, group)


def avgf1_within(probability: Array, label: Array, group: Array) -> float:
    """AVGF1 inside each group, averaged with weights positives x negatives; arguments as ``auroc_within``."""
    return _within(lambda p, y: avgf1(p, y) * _pairs(y), probability, label, group)


def _within(weighted: Callable[[Array, Array], float], probability: Array, label: Array, group: Array) -> float:
    parts = [group == number for number in np.unique(group)]
    pairs = [_pairs(label[part]) for part in parts]
    total = sum(weighted(probability[part], label[part]) for part, n in zip(parts, pairs, strict=True) if n)
    return total / sum(pairs) if sum(pairs) else float("nan")
