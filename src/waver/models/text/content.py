"""Counted cues and the meanings of the sentences beside each other, with a penalty chosen on held-out people."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from waver.config.sections import Section
from waver.datasets.answers import Answer
from waver.errors import WaverError
from waver.models.base import AnswerClassifier, Encoding
from waver.models.text.cue_counts import CUE_NAMES, cue_counts
from waver.models.text.inputs import (
    Floats,
    Labels,
    class_weight,
    context,
    learnable,
    people_apart,
)
from waver.models.text.logistic_regression import THRESHOLD_IS, Scale, Threshold, fit_logistic, margins, parameter_count
from waver.models.text.sentence import needed
from waver.models.text.side_features import context_names

log = logging.getLogger(__name__)

_INNER_FOLDS = 4
_FREE = 10.0
"""Factor of the context: at ten times its size the penalty hardly holds its weights down."""

Blocks = Mapping[str, Floats]
"""Features [n, D] of one kind each, as they are; NaN where an answer has none."""


class ContentConfig(Section):
    """What is known of the words, and the penalties that are tried."""

    strengths: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
        min_length=1,
        description="inverses of the L2 penalty, of which participants held out of the fitted answers choose one",
    )
    cues: bool = Field(True, description="the cue counts are among the features")
    sentences: bool = Field(True, description="mean, maximum and deviation of the sentences' vectors are among them")
    threshold: Threshold = Field("half", description=THRESHOLD_IS)


class Content(AnswerClassifier):
    """Logistic regression on cues and sentence statistics.

    Blocks of features weigh alike, however many features each has: z-scores are divided by the square root
    of their number. Question and number of words, where they are known, are hardly penalised, so that the
    words have to tell what those do not.
    """

    Config: ClassVar[type[Any]] = ContentConfig
    name: ClassVar[str] = "content"
    encodes: ClassVar[bool] = True
    config: ContentConfig

    def __init__(self, inputs: str, config: ContentConfig, seed: int, encoder: Path | None) -> None:
        super().__init__(inputs, config, seed, encoder)
        if not (config.cues or config.sentences):
            raise WaverError("content has neither cues nor sentences to learn from; set one in answers.options.content")

    def fit(self, answers: Sequence[Answer], label: Labels, vectors: Sequence[Encoding] | None = None) -> None:
        """Choose the penalty and learn weights from answers [n], their labels uint8 [n] and encodings [n].

        Raises:
            WaverError: a class or the encodings are missing.
        """
        answers, label, vectors = learnable(self.name, answers, label, needed(vectors))
        blocks = self._blocks(answers, vectors)
        self.context_names = context_names(answers)
        people = [answer.participant for answer in answers]
        self.strength = self._chosen(blocks, label, people)
        self.scales = _scales(blocks)
        features = _joined(blocks, self.scales)
        self.model = fit_logistic(features, label, people, self.strength, self.config.threshold)
        log.info("strength %g chosen for %d answers", self.strength, len(answers))

    def margin(self, answers: Sequence[Answer], vectors: Sequence[Encoding] | None) -> Floats:
        """Logit margins float64 [n]."""
        if not answers:
            return np.zeros(0)
        return margins(self.model, _joined(self._blocks(answers, needed(vectors)), self.scales))

    def parameter_count(self) -> int:
        """Weights and intercept."""
        return parameter_count(self.model)

    def explain(self) -> dict[str, float]:
        """Change of the margin by one standard deviation of each log count; sentences have no names."""
        named = {"context": self.context_names, "cues": [f"count of {name}" for name in CUE_NAMES]}
        weights, start = self.model.coef_[0], 0
        found: dict[str, float] = {}
        for block, scale in self.scales.items():
            width = len(scale.mean)
            own = weights[start : start + width] * _weight(block, width)
            found.update(zip(named.get(block, ()), map(float, own), strict=False))
            start += width
        return found

    def _blocks(self, answers: Sequence[Answer], vectors: Sequence[Encoding]) -> dict[str, Floats]:
        blocks: dict[str, Floats] = {}
        if "Q" in self.inputs:
            blocks["context"] = context(answers)
        if self.config.cues:
            count = cue_counts([answer.text for answer in answers], [answer.language for answer in answers])
            blocks["cues"] = np.log1p(count.astype(np.float64))
        if self.config.sentences:
            blocks["sentences"] = np.stack([_statistics(vector) for vector in vectors])
        return blocks

    def _chosen(self, blocks: Blocks, label: Labels, people: Sequence[str]) -> float:
        """The strength of least log loss on people whom neither weights nor scales had seen; the lesser of equals."""
        part, weight = people_apart(people, _INNER_FOLDS, self.seed), class_weight(label)
        strengths = sorted(self.config.strengths)
        loss = np.zeros(len(strengths))
        for held_out in np.unique(part):
            inside, outside = part != held_out, part == held_out
            if len(np.unique(label[inside])) < 2:
                continue
            features = _joined(blocks, _scales(_of(blocks, inside)))
            sign = np.where(label[outside] == 1, 1, -1)
            for number, strength in enumerate(strengths):
                model = fit_logistic(features[inside], label[inside], [], strength, "half")
                loss[number] += weight[outside] @ np.logaddexp(0, -sign * margins(model, features[outside]))
        return strengths[int(loss.argmin())]


def _statistics(vector: Encoding) -> Floats:
    """Mean, maximum and standard deviation over the sentences, float64 [3 D]; NaN where there are none."""
    parts = vector.parts.astype(np.float64)
    if not len(parts):
        return np.full(3 * len(vector.sentence), np.nan)
    return np.concatenate([parts.mean(axis=0), parts.max(axis=0), parts.std(axis=0)])


def _of(blocks: Blocks, some: npt.NDArray[np.bool_]) -> Blocks:
    return {name: block[some] for name, block in blocks.items()}


def _scales(blocks: Blocks) -> dict[str, Scale]:
    """Scale of each block by the answers that have it."""
    known = {name: block[~np.isnan(block).any(axis=1)] for name, block in blocks.items()}
    return {name: Scale(block if len(block) else np.zeros((1, block.shape[1]))) for name, block in known.items()}


def _joined(blocks: Blocks, scales: Mapping[str, Scale]) -> Floats:
    """Weighted z-scores [n, sum of D]; what an answer lacks is 0, as the average answer's."""
    scored = [np.nan_to_num(scales[name](block)) * _weight(name, block.shape[1]) for name, block in blocks.items()]
    return np.concatenate(scored, axis=1)


def _weight(name: str, width: int) -> float:
    return _FREE if name == "context" else float(width**-0.5)
