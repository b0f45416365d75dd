"""adapt: trained fusions, each adapted as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from waver.adaptation.guard import guard_for
from waver.config.sections import AdaptedFusion
from waver.errors import WaverError
from waver.features.receptive_fields import receptive_fields
from waver.registry import ADAPTATIONS
from waver.training.frames.variants import models_of, modules_of
from waver.workflow.checks import check_methods
from waver.workflow.fingerprint import code
from waver.workflow.run import Wildcards
from waver.workflow.stages.adapted import Adapted

FOR_FUSIONS = {name: one for name, one in ADAPTATIONS.items() if one.fusions}


class Fusions(Adapted):
    """Models of frames that methods adapt to one person."""

    @property
    def rows(self) -> tuple[AdaptedFusion, ...]:
        """Of the config."""
        return self.config.adapt.fusions

    @property
    def template(self) -> str:
        """Path of their predictions."""
        return self.paths.adapt_fusion

    def check(self, load: bool) -> None:
        """The fusions are models of the run, trained without the targets, and the methods are for fusions."""
        adapt, known = self.config.adapt, [(one.method, one.modalities) for one in models_of(self.config.train)]
        rows = [(row.fusion, row.modalities) for row in self.rows]
        for fusion, modalities in rows:
            if (fusion, modalities) not in known:
                there = ", ".join(" on ".join(names) for names in known) or "none"
                raise WaverError(f"adapt.fusions: {fusion} on {modalities} is not in train.runs; known are {there}")
            if rows.count((fusion, modalities)) > 1:
                raise WaverError(f"adapt.fusions: {fusion} on {modalities} stands there twice; keep one row")
        for row in self.rows:
            check_methods("adapt.fusions", FOR_FUSIONS, row.methods, row.options, load)
            receptive_fields(row.modalities, self.config.features)
        if rows and adapt.targets != "test":
            raise WaverError(
                "adapt.fusions: every fusion was trained on train and chosen by val, so that their participants cannot "
                "be the targets; set adapt.targets to test, or leave the fusions out"
            )
        missing = sorted(set(adapt.seeds) - set(self.config.train.seeds))
        if rows and missing:
            raise WaverError(f"adapt.fusions: no fusion is trained with seed {missing[0]}; name it in train.seeds")

    def options(self, wildcards: Wildcards) -> Mapping[str, Any]:
        """Of the job's method: those of all networks, changed by the fusion's own."""
        job = AdaptedFusion(fusion=wildcards.fusion, modalities=wildcards.modalities)
        row = next((one for one in self.rows if one.names == job.names), job)
        return row.options_of(wildcards.method, self.config.adapt.options)

    def recipe(self, wildcards: Wildcards) -> dict[str, Any]:
        """The part of the config that decides one method's job."""
        return {"targets": self.config.adapt.targets, "options": self.options(wildcards)}

    def guard(self, wildcards: Wildcards) -> dict[str, Any]:
        """What keeps a participant's subsets apart; decided by the features, for no window crosses subsets."""
        return guard_for(wildcards.protocol, wildcards.modalities, self.config.features)._asdict()

    def code(self, wildcards: Wildcards) -> str:
        """Fingerprint of the runner, of this method and of the fusion."""
        modules = modules_of(self.config.train, wildcards.fusion)
        return code("adapt_fusion", ADAPTATIONS[wildcards.method].target, *modules)

    def record(self, wildcards: Wildcards) -> dict[str, Any]:
        """What its predictions say about what made them."""
        made = self.run.prediction_record(self.code(wildcards), self.recipe(wildcards))
        return {**made, "network": wildcards.fusion}
