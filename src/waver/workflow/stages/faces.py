"""adapt: networks that look at faces, each adapted from the pictures on."""

from __future__ import annotations

from typing import Any

from waver.config.sections import AdaptedFaces
from waver.errors import WaverError
from waver.features.receptive_fields import receptive_fields
from waver.registry import ADAPTATIONS, BACKBONES
from waver.workflow.checks import check_methods
from waver.workflow.fingerprint import code
from waver.workflow.run import Run, Wildcards
from waver.workflow.stages.adapt import Adapt
from waver.workflow.stages.adapted import Adapted
from waver.workflow.stages.backbone import Backbone

FOR_FACES = {name: one for name, one in ADAPTATIONS.items() if one.faces}


class Faces(Adapted):
    """The visual backbone with its classes, and CLIP's image tower, that methods adapt to one person."""

    def __init__(self, run: Run, backbone: Backbone, adapt: Adapt) -> None:
        super().__init__(run)
        self.backbone, self.adapt = backbone, adapt

    @property
    def rows(self) -> tuple[AdaptedFaces, ...]:
        """Of the config."""
        return self.config.adapt.faces

    @property
    def template(self) -> str:
        """Path of their predictions."""
        return self.paths.adapt_faces

    def check(self, load: bool) -> None:
        """There are faces, networks with classes that were trained without the targets, and methods for them."""
        names = [(row.network, row.scope) for row in self.rows]
        for row in self.rows:
            if not self.run.recorded:
                raise WaverError("adapt.faces: transcripts have no faces; leave it out")
            if names.count((row.network, row.scope)) > 1:
                raise WaverError(f"adapt.faces: {row.network} with scope {row.scope} stands there twice; keep one row")
            check_methods("adapt.faces", FOR_FACES, row.methods, row.options, load)
            receptive_fields("V", self.config.features)
            if row.network == "backbone":
                self._check_backbone()
        if self.rows and self.config.adapt.targets == "cross_validation":
            raise WaverError(
                "adapt.faces: these networks have no source model of each fold; set adapt.targets to test, or leave "
                "them out"
            )

    def _check_backbone(self) -> None:
        if self.backbone.name not in BACKBONES:
            raise WaverError(
                f"adapt.faces: {self.backbone.name} is used as it is and has no classes of A/H; name another "
                "features.visual.backbone, with ah in backbone.stages"
            )
        if self.config.backbone.stages and "ah" not in self.config.backbone.stages:
            raise WaverError("adapt.faces: the backbone has no classes of A/H; add ah to backbone.stages")
        if self.config.adapt.targets != "test":
            raise WaverError(
                "adapt.faces: the backbone was trained on train and its epoch chosen by val, so that their "
                "participants cannot be the targets; set adapt.targets to test, or leave the backbone out"
            )

    def model_records(self) -> list[str]:
        """Of CLIP, where its tower is adapted; that of the backbone stands with the features."""
        return [self.adapt.encoder()] if any(row.network == "clip" for row in self.rows) else []

    def model(self, wildcards: Wildcards) -> str:
        """Record of the job's network."""
        return self.adapt.encoder() if wildcards.face_network == "clip" else self.backbone.record()

    def source_packs(self, wildcards: Wildcards) -> list[str]:
        """Indexes of all packs, if the method is given source frames."""
        return self._everywhere(wildcards, self.run.paths.pack_index)

    def source_faces(self, wildcards: Wildcards) -> list[str]:
        """Indexes of all faces, if the method is given source frames."""
        return self._everywhere(wildcards, self.run.paths.feature_index("faces"))

    def _everywhere(self, wildcards: Wildcards, template: str) -> list[str]:
        source = ADAPTATIONS[wildcards.method].source
        return [template.format(shard=shard) for shard in self.run.shards if source]

    def recipe(self, wildcards: Wildcards) -> dict[str, Any]:
        """The part of the config that decides one method's job."""
        job = AdaptedFaces(network=wildcards.face_network, scope=wildcards.scope)
        row = next((one for one in self.rows if one.names == job.names), job)
        clip, source = row.network == "clip", ADAPTATIONS[wildcards.method].source
        options = row.options_of(wildcards.method, self.config.adapt.options)
        drop = {
            "methods",
            *(() if source else ("source_pictures",)),
            *(() if row.scope == "lora" else ("rank", "layers")),
        }
        own = {**row.model_dump(exclude=drop), "options": {wildcards.method: options}}
        visual = self.config.features.visual
        backbone = {"name": "", "options": {}} if clip else {"name": visual.backbone, "options": visual.options}
        words = self.config.adapt.vision_language.model_dump(include={"template", "words"}) if clip else {}
        return {"targets": self.config.adapt.targets, "row": own, "backbone": backbone, "words": words}

    def guard(self, wildcards: Wildcards) -> dict[str, Any]:
        """What keeps a participant's subsets apart, where pictures alone are in use."""
        return self.adapt.picture_guard(wildcards)

    def code(self, wildcards: Wildcards) -> str:
        """Fingerprint of the runner, of this method and of the network."""
        network = [] if wildcards.face_network == "clip" else [BACKBONES[self.backbone.name].target]
        return code("adapt_faces", ADAPTATIONS[wildcards.method].target, *network)

    def record(self, wildcards: Wildcards) -> dict[str, Any]:
        """What its predictions say about what made them."""
        made = self.run.prediction_record(self.code(wildcards), self.recipe(wildcards))
        name = "CLIP" if wildcards.face_network == "clip" else self.backbone.name
        return {**made, "network": f"{name} {wildcards.scope}"}
