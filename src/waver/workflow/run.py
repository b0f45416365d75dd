"""A run of the workflow: its checked config, and what every stage takes from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from waver.assets.entries import asset_for, check_licence, in_set
from waver.config.model import Config
from waver.workflow.paths import Paths

Wildcards = Any
"""Snakemake's: attribute -> value of that wildcard in the paths of a job."""


@dataclass(frozen=True, eq=False)
class Run:
    """The config that all stages share."""

    config: Config

    @property
    def paths(self) -> Paths:
        """Where its files lie."""
        return Paths(dataset=self.config.dataset.name, run=self.config.run)

    @property
    def shards(self) -> list[str]:
        """Names of the groups of participants that a job works on."""
        return [f"{number:03d}" for number in range(self.config.dataset.shards)]

    @property
    def demo(self) -> bool:
        """The data set is made on the spot."""
        return self.config.dataset.source == "demo"

    @property
    def recorded(self) -> bool:
        """There are videos, not transcripts alone."""
        return self.config.dataset.source != "transcripts"

    @property
    def folding(self) -> dict[str, Any]:
        """Who is held out together, the same for all models and controls."""
        return {"folds": self.config.train.folds, "folding": self.config.train.folding}

    @property
    def cross_validated(self) -> bool:
        """Every model is trained on all folds but one, in turn."""
        return self.config.train.folds > 1

    @property
    def model_paths(self) -> dict[str, str]:
        """Role -> file or folder that the config gives for it."""
        return dict(self.config.models.paths.items())

    @property
    def model_set(self) -> str:
        """Name of the set that the config takes its models from; mixed: some roles are filled from another one.

        Random weights are of no set: predictions made with them say so.
        """
        models = self.config.models
        return models.set if set(models.roles.values()) <= {models.set, "tiny"} else "mixed"

    def _set_of(self, role: str) -> str:
        return self.config.models.roles.get(role, self.config.models.set)

    def has_model(self, role: str, of: str = "", by_path: bool = True) -> bool:
        """Whether the config gives a model for a role, or the role's set has one, of a network where it says so.

        Args:
            role: of the model.
            of: network, where several fill the role.
            by_path: the file that the config gives for the role counts.
        """
        return (by_path and role in self.config.models.paths) or bool(in_set(role, self._set_of(role), of))

    def chosen(self, role: str) -> bool:
        """Whether the config itself names a model, or a set, for a role that need not be filled."""
        return role in self.config.models.paths or role in self.config.models.roles

    def model_record(self, role: str, of: str = "", by_path: bool = True) -> str:
        """The installed record of the model that fills a role; arguments as in ``has_model``.

        Raises:
            WaverError: the role's set of models has none, and the config gives none; or the config does not accept its
                licence.
        """
        name = asset_for(role, self._set_of(role), self.model_paths if by_path else {}, of)
        check_licence(name, self.config.models.accept_licences)
        return f"resources/models/{name}/asset.json"

    def prediction_record(self, code: str, config: dict[str, Any]) -> dict[str, Any]:
        """What predictions say about what made them.

        Args:
            code: fingerprint of the code.
            config: the part of the config that decides them.
        """
        return {"model_set": self.model_set, "code": code, "config": config}
