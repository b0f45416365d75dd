"""train: what every trained model costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from waver.errors import WaverError
from waver.registry import MEASUREMENTS
from waver.workflow.fingerprint import code
from waver.workflow.run import Run, Wildcards
from waver.workflow.stages.base import Stage, Trained


class Costs(Stage):
    """The measurement of models that other stages train."""

    def __init__(self, run: Run, stages: Iterable[Stage]) -> None:
        """Of what these stages train."""
        super().__init__(run)
        self._stages = stages

    @cached_property
    def _models(self) -> Mapping[str, Trained]:
        return {folder: model for stage in self._stages for folder, model in stage.trained().items()}

    def outputs(self) -> list[str]:
        """The costs of every trained model."""
        return [self.paths.train_cost.format(trained=folder) for folder in sorted(self._models)]

    def _model(self, wildcards: Wildcards) -> Trained:
        """The model that a job measures.

        Raises:
            WaverError: none is trained there.
        """
        if wildcards.trained not in self._models:
            raise WaverError(
                f"{wildcards.trained}: the config trains no such model; name it in train.runs or videos.runs"
            )
        return self._models[wildcards.trained]

    def files(self, name: str) -> Callable[[Wildcards], list[str]]:
        """A file of every seed of the model."""
        return lambda wildcards: self._model(wildcards).files(name)

    def weights(self, wildcards: Wildcards) -> list[str]:
        """Installed records of what the model is built on, or begins with."""
        return [self.run.model_record(role) for role in self._model(wildcards).roles]

    def unit(self, wildcards: Wildcards) -> str:
        """What the model is passed at once."""
        return self._model(wildcards).unit

    def record(self, wildcards: Wildcards) -> dict[str, Any]:
        """Which model it is."""
        return self._model(wildcards).record

    def roles(self, wildcards: Wildcards) -> Sequence[str]:
        """Roles of ``weights``."""
        return self._model(wildcards).roles

    def code(self, wildcards: Wildcards) -> str:
        """Fingerprint of the measurement and of the model measured."""
        model = self._model(wildcards)
        return code("train_cost", MEASUREMENTS[model.unit].target, *model.modules)
