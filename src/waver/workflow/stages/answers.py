"""train: models of what was said."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from waver.registry import ANSWER_MODELS
from waver.workflow.checks import check_methods
from waver.workflow.fingerprint import code
from waver.workflow.run import Wildcards
from waver.workflow.stages.base import OneJobModels


class Answers(OneJobModels):
    """Models of the answer's text, one job for the splits and the folds."""

    def check(self, load: bool) -> None:
        """The models and their options are known."""
        answers = self.config.answers
        names = {run.model for run in (*answers.runs, *answers.tuned)}
        check_methods("answers.runs", ANSWER_MODELS, names, answers.options, load)

    def sentence_encoder(self, wildcards: Wildcards) -> str:
        """Record of the model that makes vectors of answers, and that the model ``encoder`` tunes."""
        return self.run.model_record("sentence_encoder")

    def model_records(self) -> list[str]:
        """Of the encoder of answers, where a model of answers is trained."""
        return [self.run.model_record("sentence_encoder")] if self.config.answers.chosen else []

    def outputs(self, name: str) -> list[str]:
        """A file of every model in the config."""
        return [
            self.paths.train_answers(name).format(answers=run.model, inputs=run.inputs, seed=seed)
            for run in self.config.answers.chosen
            for seed in run.seeds
        ]

    def methods(self) -> Iterable[str]:
        """The models."""
        return [run.model for run in self.config.answers.chosen]

    def recipe(self, wildcards: Wildcards) -> dict[str, Any]:
        """The part of the config that decides one model."""
        return self.run.folding | {"options": self.config.answers.options.get(wildcards.answers, {})}

    def code(self, wildcards: Wildcards) -> str:
        """Fingerprint of the runner and of this model; other models do not count."""
        return code("train_answers", ANSWER_MODELS[wildcards.answers].target)

    def record(self, wildcards: Wildcards) -> dict[str, Any]:
        """What its predictions say about what made them."""
        return self.run.prediction_record(self.code(wildcards), self.recipe(wildcards))
