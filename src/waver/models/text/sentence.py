"""A frozen encoder's vector of the whole answer, and a logistic regression on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from waver.config.sections import Section
from waver.datasets.answers import Answer
from waver.errors import WaverError
from waver.models.base import AnswerClassifier, Encoding
from waver.models.text.inputs import Floats, Labels, learnable
from waver.models.text.logistic_regression import (
    THRESHOLD_IS,
    Threshold,
    fit_logistic,
    margins,
    parameter_count,
    side_by_side,
)
from waver.models.text.side_features import SideFeatures


class SentenceConfig(Section):
    """Penalty and extra channel."""

    strength: float = Field(1.0, gt=0, description="inverse of the L2 penalty, on vectors of length 1")
    cues: bool = Field(False, description="the cue counts of the annotators' codebook as an extra channel")
    threshold: Threshold = Field("half", description=THRESHOLD_IS)


class Sentence(AnswerClassifier):
    """Logistic regression on sentence embeddings."""

    Config: ClassVar[type[Any]] = SentenceConfig
    name: ClassVar[str] = "sentence"
    encodes: ClassVar[bool] = True
    config: SentenceConfig

    def __init__(self, inputs: str, config: SentenceConfig, seed: int, encoder: Path | None) -> None:
        super().__init__(inputs, config, seed, encoder)
        self.side = SideFeatures(inputs, config.cues)

    def fit(self, answers: Sequence[Answer], label: Labels, vectors: Sequence[Encoding] | None = None) -> None:
        """Learn weights from answers [n], their labels uint8 [n] and encodings [n].

        Raises:
            WaverError: a class or the encodings are missing.
        """
        answers, label, vectors = learnable(self.name, answers, label, needed(vectors))
        self.side.fit(answers)
        people = [answer.participant for answer in answers]
        features = self._features(answers, vectors)
        self.model = fit_logistic(features, label, people, self.config.strength, self.config.threshold)

    def margin(self, answers: Sequence[Answer], vectors: Sequence[Encoding] | None) -> Floats:
        """Logit margins float64 [n]."""
        return margins(self.model, self._features(answers, needed(vectors))) if answers else np.zeros(0)

    def parameter_count(self) -> int:
        """Weights and intercept."""
        return parameter_count(self.model)

    def _features(self, answers: Sequence[Answer], vectors: Sequence[Encoding]) -> Any:
        blocks: list[Any] = [np.stack([vector.sentence for vector in vectors]).astype(np.float64)]
        return side_by_side([*blocks, self.side(answers)])


def needed(vectors: Sequence[Encoding] | None) -> Sequence[Encoding]:
    """The encodings.

    Raises:
        WaverError: there are none.
    """
    if vectors is None:
        raise WaverError("this model of answers needs their encodings; run the rule that encodes the answers")
    return vectors
