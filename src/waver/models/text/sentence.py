"""A frozen encoder's vector of the whole answer, and a logistic regression on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from waver.config.sections import Section
from waver.data.answers import Answer
from waver.errors import WaverError
from waver.models.contracts import Encoding, Labelled
from waver.models.text.beside import Beside
from waver.models.text.inputs import Floats, Labels, check_inputs, learnable
from waver.models.text.linear import THRESHOLD_IS, Threshold, fit_logistic, margins, side_by_side


class SentenceConfig(Section):
    """Penalty and extra channel."""

    strength: float = Field(1.0, gt=0, description="inverse of the L2 penalty, on vectors of length 1")
    cues: bool = Field(False, description="the cue counts of the annotators' codebook as an extra channel")
    threshold: Threshold = Field("half", description=THRESHOLD_IS)


class Sentence:
    """Logistic regression on sentence embeddings; see ``waver.models.contracts.AnswerModel``."""

    Config: ClassVar[type[Any]] = SentenceConfig
    encodes: ClassVar[bool] = True
    tunes: ClassVar[bool] = False
    chooses: ClassVar[bool] = False

    def __init__(self, inputs: str, config: SentenceConfig, seed: int, encoder: Path | None) -> None:
        check_inputs("sentence", inputs, ("T", "TQ"))
        self.config = config
        self.beside = Beside(inputs, config.cues)

    def fit(
        self,
        answers: Sequence[Answer],
        label: Labels,
        vectors: Sequence[Encoding] | None,
        val: Labelled | None = None,
    ) -> None:
        """Learn weights from answers [n], their labels uint8 [n] and encodings [n].

        Raises:
            WaverError: a class or the encodings are missing.
        """
        answers, label, vectors = learnable("sentence", answers, label, needed(vectors))
        self.beside.fit(answers)
        people = [answer.participant for answer in answers]
        features = self._features(answers, vectors)
        self.model = fit_logistic(features, label, people, self.config.strength, self.config.threshold)

    def margin(self, answers: Sequence[Answer], vectors: Sequence[Encoding] | None) -> Floats:
        """Logit margins float64 [n]."""
        return margins(self.model, self._features(answers, needed(vectors))) if answers else np.zeros(0)

    def _features(self, answers: Sequence[Answer], vectors: Sequence[Encoding]) -> Any:
        blocks: list[Any] = [np.stack([vector.sentence for vector in vectors]).astype(np.float64)]
        return side_by_side([*blocks, self.beside(answers)])


def needed(vectors: Sequence[Encoding] | None) -> Sequence[Encoding]:
    """The encodings.

    Raises:
        WaverError: there are none.
    """
    if vectors is None:
        raise WaverError("this model of answers needs their encodings; run the rule that encodes the answers")
    return vectors
