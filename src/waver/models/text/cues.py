"""The model that one can read: a logistic regression on counted cues."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from waver.config.sections import Section
from waver.data.answers import Answer
from waver.models.contracts import Encoding, Labelled
from waver.models.text.beside import Beside
from waver.models.text.inputs import Floats, Labels, check_inputs, learnable
from waver.models.text.linear import THRESHOLD_IS, Threshold, fit_logistic, margins


class CuesConfig(Section):
    """Penalty and threshold."""

    strength: float = Field(0.1, gt=0, description="inverse of the L2 penalty")
    threshold: Threshold = Field("half", description=THRESHOLD_IS)


class Cues:
    """Logistic regression on cue counts and rates; see ``waver.models.contracts.AnswerModel``.

    With the inputs Q it is the content-free control of answers.
    """

    Config: ClassVar[type[Any]] = CuesConfig
    encodes: ClassVar[bool] = False
    tunes: ClassVar[bool] = False
    chooses: ClassVar[bool] = False

    def __init__(self, inputs: str, config: CuesConfig, seed: int, encoder: Path | None) -> None:
        check_inputs("cues", inputs, ("T", "TQ", "Q"))
        self.config = config
        self.beside = Beside(inputs, cues="T" in inputs)

    def fit(
        self,
        answers: Sequence[Answer],
        label: Labels,
        vectors: Sequence[Encoding] | None = None,
        val: Labelled | None = None,
    ) -> None:
        """Learn weights from answers [n] with labels uint8 [n].

        Raises:
            WaverError: a class is missing.
        """
        answers, label, _ = learnable("cues", answers, label)
        people = [answer.participant for answer in answers]
        features = self.beside.fit(answers)
        self.model = fit_logistic(features, label, people, self.config.strength, self.config.threshold)

    def margin(self, answers: Sequence[Answer], vectors: Sequence[Encoding] | None = None) -> Floats:
        """Logit margins float64 [n]."""
        return margins(self.model, self.beside(answers))

    def explain(self) -> dict[str, float]:
        """Change of the margin by one standard deviation of each feature."""
        effect = self.model.coef_[0] * self.beside.size
        return dict(zip(self.beside.names, map(float, effect), strict=True))
