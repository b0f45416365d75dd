"""Controls beside every prediction: what the question, the length and the number of words say, nobody looked at.

They are those of ``waver.evaluation.controls`` at the level of videos, fitted on the train split alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from waver.datasets.question_context import question_one_hot, video_context
from waver.datasets.questions import Questions
from waver.io.zarr_store import Array

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Linear:
    """A logistic regression on standardised features.

    Attributes:
        weight: of each feature as it is, not standardised.
        bias: of the margin, so that 0 is its decision.
    """

    weight: tuple[float, ...]
    bias: float

    def probability(self, features: Array) -> float:
        """Of one recording, float64 [D]."""
        margin = float(np.dot(features, self.weight)) + self.bias
        return float(np.exp(-np.logaddexp(0, -margin)))


@dataclass(frozen=True)
class Controls:
    """Fitted controls.

    Attributes:
        content_free: knows the question, the length and the number of words.
        without_words: the same where the words are not known.
        question_only: knows the question alone.
    """

    content_free: Linear
    without_words: Linear
    question_only: Linear

    def of(self, row: Row) -> tuple[float, float]:
        """Probabilities of the content-free control and of the question alone.

        Args:
            row: of a recording: ``question``, ``duration_s``, ``words`` (None where unknown) and ``questions``.
        """
        known = self.without_words if row["words"] is None else self.content_free
        return known.probability(_content_free([row])[0]), self.question_only.probability(question_one_hot([row])[0])

    def state(self) -> dict[str, Any]:
        """Plain values for a file."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Controls:
        """Inverse of ``state``."""
        return cls(**{name: Linear(tuple(one["weight"]), float(one["bias"])) for name, one in state.items()})


def fit_controls(rows: Iterable[Row], questions: Questions) -> Controls | None:
    """Fit them.

    Args:
        rows: training videos (PACK_INDEX), with their ``label``.
        questions: of the data set.

    Returns:
        The controls; None where the training videos have labels of one class alone, or none.
    """
    known = [{**row, "questions": questions} for row in rows if row["label"] is not None and row["duration_s"]]
    label = np.array([row["label"] for row in known], np.int64)
    if not len(label) or label.min() == label.max():
        return None
    silent = [{**row, "words": None} for row in known]
    parts = (_content_free(known), _content_free(silent), question_one_hot(known))
    return Controls(*(_fitted(features, label) for features in parts))


def _content_free(rows: Sequence[Row]) -> Array:
    """Question, length and, where known, number of words; float64 [V, D]."""
    if rows[0]["words"] is not None:
        return video_context(rows, timed=True)
    context = video_context([{**row, "words": 0} for row in rows], timed=True)
    return np.delete(context, context.shape[1] - 2, axis=1)


def _fitted(features: Array, label: Array) -> Linear:
    from waver.evaluation.controls import fit  # loads scikit-learn

    scale, regression = fit(features, label)[:]
    weight = regression.coef_[0] / scale.scale_
    return Linear(tuple(map(float, weight)), float(regression.intercept_[0] - np.dot(weight, scale.mean_)))
