"""The content-free control as numbers, to be shown beside every prediction: it sees nothing of the person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from waver.datasets.question_context import frame_context, video_context
from waver.datasets.questions import Questions
from waver.io.zarr_store import Array

LEVELS = ("frame", "video")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class LinearControl:
    """A logistic regression on what is known of a recording before anybody looks at it.

    Attributes:
        level: frame or video.
        timed: the video's length is one of its features.
        mean, scale: of each feature, D numbers.
        weights: of the standardised features, D numbers.
        intercept: of the margin, at the prevalence of the training data.
    """

    level: str
    timed: bool
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float

    @classmethod
    def of(cls, fitted: Pipeline, level: str, timed: bool = True) -> LinearControl:
        """Of what ``waver.evaluation.controls.fit`` returns."""
        scaler, model = fitted[0], fitted[-1]
        mean, scale, weights = (tuple(map(float, row)) for row in (scaler.mean_, scaler.scale_, model.coef_[0]))
        return cls(level, timed, mean, scale, weights, float(model.intercept_[0]))

    def margin(self, rows: Sequence[Row], questions: Questions) -> Array:
        """Logit of A/H minus logit of none, float64 [N]: of every frame of each row in turn, or of each row.

        Args:
            rows: recordings with ``question`` (None where unknown), ``words``, ``duration_s`` and ``frames``.
            questions: those that the model was trained on.
        """
        known = [{**row, "questions": questions} for row in rows]
        features = frame_context(known) if self.level == "frame" else video_context(known, self.timed)
        scaled = (features - np.array(self.mean)) / np.array(self.scale)
        margin: Array = scaled @ np.array(self.weights) + self.intercept
        return margin

    def state(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> LinearControl:
        """Inverse of ``state``."""
        rows = {name: tuple(state[name]) for name in ("mean", "scale", "weights")}
        return cls(state["level"], state["timed"], **rows, intercept=state["intercept"])


def question_shares(answers: Sequence[Row], least_group: int) -> dict[int, float]:
    """Question -> share of A/H among its labelled recordings of the train split, of questions that enough people got.

    Args:
        answers: ANSWERS rows.
        least_group: fewest people that a share may rest on.
    """
    known = [row for row in answers if row["split"] == "train" and None not in (row["label"], row["question"])]
    asked: dict[int, list[Row]] = {}
    for row in known:
        asked.setdefault(row["question"], []).append(row)
    return {
        question: float(np.mean([row["label"] for row in rows]))
        for question, rows in sorted(asked.items())
        if len({row["participant"] for row in rows}) >= least_group
    }
