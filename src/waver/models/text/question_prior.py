"""The question prior: how often A/H was seen after each question, and nothing of the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from waver.config.sections import Section
from waver.datasets.answers import Answer
from waver.models.base import AnswerClassifier, Encoding
from waver.models.text.inputs import Floats, Labels, check_classes


class QuestionPriorConfig(Section):
    """Smoothing."""

    smoothing: float = Field(1.0, gt=0, description="answers of the overall prevalence added to each question")


class QuestionPrior(AnswerClassifier):
    """Smoothed log odds of A/H per question.

    Classes are balanced by taking off the log odds over all questions, as a balanced logistic regression
    on the question does; a question that is unknown, or was never seen, has margin 0.
    """

    Config: ClassVar[type[Any]] = QuestionPriorConfig
    name: ClassVar[str] = "question_prior"
    takes: ClassVar[tuple[str, ...]] = ("Q",)
    config: QuestionPriorConfig

    def fit(self, answers: Sequence[Answer], label: Labels, vectors: Sequence[Encoding] | None = None) -> None:
        """Count the answers [n] of each question and their labels uint8 [n]."""
        check_classes(self.name, label)
        question = _question_numbers(answers)
        share, added = label.mean(), self.config.smoothing
        size = answers[0].questions.count + 1
        count = np.bincount(question, minlength=size)
        positive = np.bincount(question, weights=label, minlength=size)
        rate = (positive + added * share) / (count + added)
        self.odds = np.log(rate / (1 - rate)) - np.log(share / (1 - share))
        self.odds[0] = 0  # of whom nobody knows the question

    def margin(self, answers: Sequence[Answer], vectors: Sequence[Encoding] | None = None) -> Floats:
        """Logit margins float64 [n]."""
        margin: Floats = np.round(self.odds[_question_numbers(answers)], 9)
        return margin

    def explain(self) -> dict[str, float]:
        """Log odds of each question against all questions."""
        return {f"question {number}": float(self.odds[number]) for number in range(1, len(self.odds))}


def _question_numbers(answers: Sequence[Answer]) -> Any:
    return np.array([answer.question or 0 for answer in answers], np.int64)
