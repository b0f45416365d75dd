"""What a model may know of an answer beside its words: the context, and counted cues."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from waver.datasets.answers import Answer
from waver.models.text.cue_counts import CUE_NAMES, cue_counts
from waver.models.text.inputs import Floats, context
from waver.models.text.logistic_regression import Scale

_CUE_NAMES = tuple(f"{form} of {name}" for form in ("count", "rate") for name in CUE_NAMES)
_PER_WORDS = 100


class SideFeatures:
    """Scaled features that join those of the text.

    Cues are many and each tells little: theirs are z-scores divided by the square root of their number, so
    that under one penalty they do not drown the rest. Those of the context are z-scores.

    Args:
        inputs: with Q, the context is among them: question and log number of words.
        cues: log counts and log rates of the cues are among them.

    Attributes:
        names: E names; known once fitted, as the number of questions is the data set's.
        size: standard deviation float64 [E] that the features have on the answers fitted on; known once fitted.
    """

    def __init__(self, inputs: str, cues: bool) -> None:
        self._context, self._cues = "Q" in inputs, cues
        self.names: tuple[str, ...] = ()
        self.size = np.ones(0)

    def fit(self, answers: Sequence[Answer]) -> Floats:
        """Take mean and deviation of the answers, and give their features float64 [n, E]."""
        raw = self._raw(answers)
        self.names = (*(_CUE_NAMES if self._cues else ()), *(context_names(answers) if self._context else ()))
        self.size = np.ones(len(self.names))
        if self._cues:
            self.size[: len(_CUE_NAMES)] = len(_CUE_NAMES) ** -0.5
        self._scale = Scale(raw)
        return self._scale(raw) * self.size

    def __call__(self, answers: Sequence[Answer]) -> Floats:
        """Features float64 [n, E], in the order of ``names``; E may be 0."""
        return self._scale(self._raw(answers)) * self.size

    def _raw(self, answers: Sequence[Answer]) -> Floats:
        blocks = [np.zeros((len(answers), 0))]
        if self._cues:
            blocks.append(_counts_and_rates(answers))
        if self._context:
            blocks.append(context(answers))
        return np.concatenate(blocks, axis=1)


def context_names(answers: Sequence[Answer]) -> tuple[str, ...]:
    """Names of the features of ``waver.models.text.inputs.context``."""
    return (*(f"question {number}" for number in range(1, answers[0].questions.count + 1)), "log words")


def _counts_and_rates(answers: Sequence[Answer]) -> Floats:
    """log(1 + count) and log(1 + count per 100 words), float64 [n, 2 C]."""
    count = cue_counts([answer.text for answer in answers], [answer.language for answer in answers])
    words = np.array([answer.words for answer in answers], np.float64)
    # ten words more, so that one cue in an answer of two words is no flood
    rate = count * _PER_WORDS / (words[:, None] + 10)
    return np.concatenate([np.log1p(count), np.log1p(rate)], axis=1).astype(np.float64)
