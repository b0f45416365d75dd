"""Class-balanced logistic regression: the head of every model here that is not a network."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from waver.models.text.inputs import Floats, Labels, people_apart

Threshold = Literal["half", "prevalence"]
THRESHOLD_IS = (
    "half: at probability .5 of balanced classes; prevalence: where as many answers as are positive are predicted so, "
    "found on participants held out of the fitted answers"
)
"""Description of the ``threshold`` of the methods' configs."""

_INNER_FOLDS = 5
_ITERATIONS = 2000
_DIGITS = 9
"""Margins are rounded, so that equal features tie: a sum may differ in its last bits from row to row."""


def fit_logistic(
    features: Any, label: Labels, participants: list[str], strength: float, threshold: Threshold
) -> LogisticRegression:
    """Fit the weights, and move the intercept if the threshold is to be the prevalence.

    The margins of answers that a model with many weights was fitted on lie on the right side of any
    threshold, and say nothing of it; so they are taken from folds, no participant in two of them.

    Args:
        features: float64 [n, D], dense or sparse, of comparable scale.
        label: uint8 [n], both classes present.
        participants: who gave each answer.
        strength: inverse of the L2 penalty.
        threshold: where the margin is 0.
    """
    model = _fitted(features, label, strength)
    if threshold == "prevalence":
        part = people_apart(participants, _INNER_FOLDS, 0)
        margin = np.zeros(len(label))
        for held_out in np.unique(part):
            inside = part != held_out
            if len(np.unique(label[inside])) == 2:
                margin[~inside] = _fitted(features[inside], label[inside], strength).decision_function(
                    features[~inside]
                )
        model.intercept_ -= np.quantile(margin, 1 - label.mean())
    return model


def _fitted(features: Any, label: Labels, strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, class_weight="balanced", max_iter=_ITERATIONS).fit(features, label)


def margins(model: LogisticRegression, features: Any) -> Floats:
    """Logit margin float64 [n] of features [n, D]."""
    if not features.shape[0]:
        return np.zeros(0)
    return np.asarray(np.round(model.decision_function(features), _DIGITS), np.float64)


def parameter_count(model: LogisticRegression) -> int:
    """Weights and intercept."""
    return int(model.coef_.size + model.intercept_.size)


class Scale:
    """Mean and standard deviation of each feature of the answers fitted on; a constant one becomes 0."""

    def __init__(self, features: npt.NDArray[Any]) -> None:
        self.mean = features.mean(axis=0, dtype=np.float64)
        deviation = features.std(axis=0, dtype=np.float64)
        self.factor = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 1e-9)

    def __call__(self, features: npt.NDArray[Any]) -> Floats:
        """Z-scores float64 of features [n, D]."""
        scaled: Floats = (features - self.mean) * self.factor
        return scaled


def side_by_side(blocks: list[Any]) -> Any:
    """Features [n, sum of D] from blocks [n, D], as CSR where one of them is sparse."""
    if any(sparse.issparse(block) for block in blocks):
        return sparse.hstack([sparse.csr_matrix(block) for block in blocks]).tocsr()
    return np.column_stack(blocks)
