"""A run of the workflow: its checked config, and what every stage takes from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from waver.assets.manifest import asset_for
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

    def model_record(self, role: str) -> str:
        """The installed record of the model that fills a role.

        Raises:
            WaverError: the config's set of models has none, and the config gives none.
        """
        name = asset_for(role, self.config.models.set, self.model_paths)
        return f"resources/models/{name}/asset.json"

    def prediction_record(self, code: str, config: dict[str, Any]) -> dict[str, Any]:
        """What predictions say about what made them.

        Args:
            code: fingerprint of the code.
            config: the part of the config that decides them.
        """
        return {"model_set": self.config.models.set, "code": code, "config": config}
