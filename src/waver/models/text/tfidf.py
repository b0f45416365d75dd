"""TF-IDF of words and of pieces of words, and a logistic regression: the oldest text classifier."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field
from sklearn.feature_extraction.text import TfidfVectorizer

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


class TfidfConfig(Section):
    """Terms and penalty."""

    word_terms: tuple[int, int] = Field((1, 2), description="least and most words of a term")
    character_terms: tuple[int, int] = Field((2, 5), description="least and most characters of a term inside a word")
    least_answers: int = Field(2, ge=1, description="answers that a term must occur in")
    strength: float = Field(1.0, gt=0, description="inverse of the L2 penalty")
    cues: bool = Field(False, description="the cue counts of the annotators' codebook as an extra channel")
    threshold: Threshold = Field("half", description=THRESHOLD_IS)


class Tfidf(AnswerClassifier):
    """Logistic regression on TF-IDF."""

    Config: ClassVar[type[Any]] = TfidfConfig
    name: ClassVar[str] = "tfidf"
    config: TfidfConfig

    def __init__(self, inputs: str, config: TfidfConfig, seed: int, encoder: Path | None) -> None:
        super().__init__(inputs, config, seed, encoder)
        shared = {"sublinear_tf": True, "min_df": config.least_answers, "strip_accents": "unicode"}
        self.terms = [
            TfidfVectorizer(ngram_range=config.word_terms, token_pattern=r"(?u)\b\w+\b", **shared),
            TfidfVectorizer(ngram_range=config.character_terms, analyzer="char_wb", **shared),
        ]
        self.side = SideFeatures(inputs, config.cues)

    def fit(self, answers: Sequence[Answer], label: Labels, vectors: Sequence[Encoding] | None = None) -> None:
        """Learn terms and weights from answers [n] with labels uint8 [n].

        Raises:
            WaverError: a class is missing, or hardly a word occurs twice.
        """
        answers, label, _ = learnable(self.name, answers, label)
        texts = [answer.text for answer in answers]
        try:
            for vectoriser in self.terms:
                vectoriser.fit(texts)
        except ValueError:
            raise WaverError(
                f"no term occurs in {self.config.least_answers} of the {len(texts)} answers that tfidf learns from; "
                "lower answers.options.tfidf.least_answers or check the transcripts"
            ) from None
        self.side.fit(answers)
        people = [answer.participant for answer in answers]
        self.model = fit_logistic(self._features(answers), label, people, self.config.strength, self.config.threshold)

    def margin(self, answers: Sequence[Answer], vectors: Sequence[Encoding] | None = None) -> Floats:
        """Logit margins float64 [n]."""
        return margins(self.model, self._features(answers)) if answers else np.zeros(0)

    def parameter_count(self) -> int:
        """Weights and intercept."""
        return parameter_count(self.model)

    def _features(self, answers: Sequence[Answer]) -> Any:
        blocks: list[Any] = [terms.transform([answer.text for answer in answers]) for terms in self.terms]
        return side_by_side([*blocks, self.side(answers)])
