"""The model that one can read: a logistic regression on counted cues."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from waver.config.sections import Section
from waver.datasets.answers import Answer
from waver.models.base import AnswerClassifier, Encoding
from waver.models.text.inputs import Floats, Labels, learnable
from waver.models.text.logistic_regression import THRESHOLD_IS, Threshold, fit_logistic, margins, parameter_count
from waver.models.text.side_features import SideFeatures


class CuesConfig(Section):
    """Penalty and threshold."""

    strength: float = Field(0.1, gt=0, description="inverse of the L2 penalty")
    threshold: Threshold = Field("half", description=THRESHOLD_IS)


class Cues(AnswerClassifier):
    """Logistic regression on cue counts and rates.

    With the inputs Q it is the content-free control of answers.
    """

    Config: ClassVar[type[Any]] = CuesConfig
    name: ClassVar[str] = "cues"
    takes: ClassVar[tuple[str, ...]] = ("T", "TQ", "Q")
    config: CuesConfig

    def __init__(self, inputs: str, config: CuesConfig, seed: int, encoder: Path | None) -> None:
        super().__init__(inputs, config, seed, encoder)
        self.side = SideFeatures(inputs, cues="T" in inputs)

    def fit(self, answers: Sequence[Answer], label: Labels, vectors: Sequence[Encoding] | None = None) -> None:
        """Learn weights from answers [n] with labels uint8 [n].

        Raises:
            WaverError: a class is missing.
        """
        answers, label, _ = learnable(self.name, answers, label)
        people = [answer.participant for answer in answers]
        features = self.side.fit(answers)
        self.model = fit_logistic(features, label, people, self.config.strength, self.config.threshold)

    def margin(self, answers: Sequence[Answer], vectors: Sequence[Encoding] | None = None) -> Floats:
        """Logit margins float64 [n]."""
        return margins(self.model, self.side(answers))

    def parameter_count(self) -> int:
        """Weights and intercept."""
        return parameter_count(self.model)

    def explain(self) -> dict[str, float]:
        """Change of the margin by one standard deviation of each feature."""
        effect = self.model.coef_[0] * self.side.size
        return dict(zip(self.side.names, map(float, effect), strict=True))
