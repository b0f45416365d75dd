"""train: models of frames, their cross-validation, heads for whole videos and explanations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, partial
from typing import Any

from waver.modalities import streams
from waver.models.fusion.conflict.settings import ConflictConfig
from waver.registry import FUSIONS
from waver.training.frames.variants import (
    check_variants,
    model_named,
    models_of,
    modules_of,
    network_of,
    recipe_of,
)
from waver.training.trained_model import TrainedModel
from waver.workflow.checks import check_methods
from waver.workflow.fingerprint import code
from waver.workflow.run import Wildcards
from waver.workflow.stages.base import Stage, Trained


class Frames(Stage):
    """Fusions of modalities that judge every frame."""

    def check(self, load: bool) -> None:
        """Fusions, their options and the variants are known."""
        train = self.config.train
        check_methods("train.runs", FUSIONS, {run.fusion for run in train.runs}, train.options, load)
        check_variants(train, options=load)

    @cached_property
    def models(self) -> tuple[TrainedModel, ...]:
        """Every model to train; names and paths are made of these, and nothing is read out of a name or a path."""
        return models_of(self.config.train)

    def outputs(self, name: str) -> list[str]:
        """A file of every training run of the config."""
        return self._of_seeds(self.models, name)

    def _of_seeds(self, models: Iterable[TrainedModel], name: str) -> list[str]:
        template = self.paths.train(name)
        return [
            template.format(fusion=model.method, modalities=model.modalities, seed=seed)
            for model in models
            for seed in self.config.train.seeds
        ]

    def records_of_outputs(self) -> list[dict[str, Any]]:
        """The model of each of ``outputs``."""
        return [model.record for model in self.models for _ in self.config.train.seeds]

    def records_to_score(self) -> list[dict[str, Any]]:
        """Every model, and its head for whole videos, which is one to the tables."""
        return [one.record for model in self.models for one in (model, model.head)]

    def predictions(self) -> list[str]:
        """Of frames, of whole videos where a model has a head for them, and out of fold."""
        folds = self.outputs("folds.parquet") if self.run.cross_validated else []
        headed = [model for model in self.models if self._options(model).get("video_head")]
        return [*self.outputs("predictions.parquet"), *self._of_seeds(headed, "videos.parquet"), *folds]

    def methods(self) -> Iterable[str]:
        """The fusions."""
        return [model.fusion for model in self.models]

    def _options(self, model: TrainedModel) -> Mapping[str, Any]:
        return recipe_of(self.config.train, model.method).options[model.fusion]

    def extras(self) -> list[str]:
        """What every model shows that can."""
        return self.explained()

    def explained(self) -> list[str]:
        """Explanations of every seed of the models that explain themselves."""
        explained = [model for model in self.models if FUSIONS[model.fusion].explains]
        return self._of_seeds(explained, "explanations.parquet")

    def tables(self) -> dict[str, str]:
        """What explanations point at."""
        return {"explained_cues": self.paths.explained_cues} if self.explained() else {}

    def trained(self) -> Mapping[str, Trained]:
        """The models, each with all its seeds."""
        return {
            f"{model.method}/{model.modalities}": Trained(
                "window",
                model.record,
                modules_of(self.config.train, model.method),
                [],
                partial(self._of_seeds, [model]),
            )
            for model in self.models
        }

    def _model(self, wildcards: Wildcards) -> TrainedModel:
        """The model that a job is about."""
        return model_named(self.config.train, wildcards.fusion, wildcards.modalities)

    def fusion(self, wildcards: Wildcards) -> str:
        """Its fusion, as the registry names it."""
        return self._model(wildcards).fusion

    def recipe(self, wildcards: Wildcards) -> dict[str, Any]:
        """The part of the training config that decides it: without the list of the others."""
        return recipe_of(self.config.train, wildcards.fusion).recipe

    def packs(self, wildcards: Wildcards) -> list[str]:
        """Indexes of the packs of all shards, with the visual features of its backbone."""
        template = self.paths.pack_index_of(network_of(self.config.train, self._model(wildcards)))
        return [template.format(shard=shard) for shard in self.run.shards]

    def segments(self, wildcards: Wildcards) -> list[str]:
        """Tables of the annotators' certainty and cues, where its recipe learns from them."""
        own = recipe_of(self.config.train, wildcards.fusion)
        fusion = self.fusion(wildcards)
        counted = fusion == "conflict" and ConflictConfig(**own.options.get(fusion, {})).counts_pairs
        if not (own.cue_share or own.certainty or counted):
            return []
        return [self.paths.shard_table("segments").format(shard=shard) for shard in self.run.shards]

    def streams(self, wildcards: Wildcards) -> dict[str, Any]:
        """What it takes from the records of its modalities."""
        return streams(wildcards.modalities)

    def folds_recipe(self, wildcards: Wildcards) -> dict[str, Any]:
        """The same of its cross-validation."""
        return self.recipe(wildcards) | self.run.folding

    def _code(self, rule: str, wildcards: Wildcards) -> str:
        """Fingerprint of a job on it, of its fusion and of its temporal context; others do not count."""
        return code(rule, *modules_of(self.config.train, wildcards.fusion))

    def code(self, wildcards: Wildcards) -> str:
        """Fingerprint of the loop and of what the model is built of."""
        return self._code("train_fusion", wildcards)

    def folds_code(self, wildcards: Wildcards) -> str:
        """The same of its cross-validation."""
        return self._code("train_folds", wildcards)

    def head_code(self, wildcards: Wildcards) -> str:
        """The same of its head for whole videos."""
        return self._code("train_video_head", wildcards)

    def explanations_code(self, wildcards: Wildcards) -> str:
        """The same of what it shows of its reasons."""
        return self._code("train_explanations", wildcards)

    def record(self, wildcards: Wildcards) -> dict[str, Any]:
        """What its predictions say about what made them."""
        made = self.run.prediction_record(self.code(wildcards), self.recipe(wildcards))
        return {**made, **self._model(wildcards).own_record}

    def head_record(self, wildcards: Wildcards) -> dict[str, Any]:
        """The same of its head for whole videos."""
        own = {"seed": int(wildcards.seed)}
        return self.record(wildcards) | self._model(wildcards).head.own_record | own

    def explanations_record(self, wildcards: Wildcards) -> dict[str, Any]:
        """What its explanations say about what made them."""
        own = self._model(wildcards).own_record
        return {"model_set": self.run.model_set, "seed": int(wildcards.seed), **own}
