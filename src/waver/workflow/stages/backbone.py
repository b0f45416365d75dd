"""train: the visual backbone, on pictures of emotions and on frames with and without A/H."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from waver.errors import WaverError
from waver.modalities import letters_made_by
from waver.records import method_config
from waver.registry import BACKBONES
from waver.workflow.fingerprint import code
from waver.workflow.run import Run, Wildcards
from waver.workflow.stages.base import Stage

UNTRAINED = "mini_xception"
"""The backbone that is used as it is, and is in no registry."""


class Backbone(Stage):
    """A network that looks at faces: where its weights come from."""

    def __init__(self, run: Run, name: str = "") -> None:
        """That of ``features.visual``, or another one of ``train.backbones``."""
        super().__init__(run)
        visual = self.config.features.visual
        self.additional = bool(name)
        self.name = name or visual.backbone
        self.options = {} if self.additional else visual.options

    def check(self, load: bool) -> None:
        """The backbone is known, its weights can come from somewhere, and no cross-validation is flattered by them."""
        options, stages = self.options, self.config.backbone.stages
        if self.additional:
            self._check_additional()
        elif self.name == UNTRAINED:
            if stages or options:
                raise WaverError(
                    f"features.visual.backbone: {UNTRAINED} is used as it is, without backbone.stages and options; "
                    f"to train, name one of {', '.join(BACKBONES)}"
                )
        elif self.name not in BACKBONES:
            raise WaverError(
                f"features.visual.backbone: {self.name!r} is not a known backbone; "
                f"known are {UNTRAINED}, {', '.join(BACKBONES)}"
            )
        elif not stages and not self.given():
            raise WaverError(
                f"features.visual.backbone: there are no weights for {self.name}; give "
                "models.paths.expression_backbone, or train it: backbone.stages"
            )
        elif options and load:
            method_config(BACKBONES, self.name, options)
        sets = [run.modalities for run in self.config.train.runs] + [run.modalities for run in self.config.videos.runs]
        flattered = [letter for letter in letters_made_by("expression_backbone") if letter in "".join(sets)]
        if "ah" in stages and self.run.cross_validated and flattered:
            raise WaverError(
                "backbone.stages: ah learns from everybody's labels in train and chooses its epoch on val, so that a "
                f"cross-validation of models with {' or '.join(flattered)} would be flattered; set train.folds to 0, "
                "or stages to [emotions]"
            )

    def _check_additional(self) -> None:
        if self.name == self.config.features.visual.backbone:
            raise WaverError(f"train.backbones: {self.name} is features.visual.backbone already; leave one of them out")
        if not self.run.recorded:
            raise WaverError("train.backbones: transcripts have no faces; leave it out")
        if not self.config.backbone.stages and not self.given():
            raise WaverError(
                f"train.backbones: there are no weights for {self.name}; give models.paths.{self.name}, "
                "or train it: backbone.stages"
            )

    def given(self) -> list[str]:
        """Record of the weights that a training begins with, of the config or of its set of models, if there are any.

        A set has weights for the backbone that it names; those of another one do not count.
        """
        if self.name in self.run.model_paths:
            return [self.run.model_record(self.name)]
        given = self.run.has_model("expression_backbone", of=self.name, by_path=not self.additional)
        return [self._of_role()] if given else []

    def _of_role(self) -> str:
        """Record of what fills the role; the path of the config is that of ``features.visual.backbone``."""
        return self.run.model_record("expression_backbone", of=self.name, by_path=not self.additional)

    def installs(self) -> list[str]:
        """The given weights; what a training makes of them is read by the features."""
        return self.given() if self.run.recorded else []

    def trained_file(self, stage: str, name: str = "asset.json") -> str:
        """A file of a stage of its training."""
        path = self.paths.trained_emotions if stage == "emotions" else self.paths.trained_frames
        return path(self.name, name)

    def before_frames(self) -> list[str]:
        """Record of the weights that its training on frames begins with, if any."""
        return [self.trained_file("emotions")] if "emotions" in self.config.backbone.stages else self.given()

    def record(self) -> str:
        """Record of its weights: of the last stage of its training, else installed."""
        stages = self.config.backbone.stages
        return self.trained_file(stages[-1]) if stages else next(iter(self.given()), None) or self._of_role()

    @property
    def judges(self) -> bool:
        """It was trained on frames with and without A/H, and predicts those of val and test itself."""
        return "ah" in self.config.backbone.stages

    def predictions(self) -> list[str]:
        """Of frames without their context, where it was trained on frames."""
        return [self.paths.backbone_predictions(self.name)] if self.judges else []

    def methods(self) -> Iterable[str]:
        """Itself, where it predicts."""
        return [self.name] if self.judges else []

    def recipe(self) -> dict[str, Any]:
        """The part of the config that decides its weights; of pictures of emotions not where they lie."""
        own = self.config.backbone
        trained = own.model_dump(include={"stages", *own.stages}, exclude={"emotions": {"sets": {"__all__": {"path"}}}})
        return {**trained, "options": self.options}

    def frames_record(self, wildcards: Wildcards) -> dict[str, Any]:
        """What its own predictions say about what made them."""
        made = self.run.prediction_record(self.code("train_backbone_frames"), self.recipe())
        return {**made, "method": self.name, "modalities": "V", "seed": self.config.backbone.seed}

    @property
    def visual(self) -> dict[str, Any]:
        """The config of its features."""
        return {**self.config.features.visual.model_dump(), "backbone": self.name, "options": self.options}

    def code(self, rule: str) -> str:
        """Fingerprint of a job on the backbone and of this network; other networks do not count."""
        return code(rule, *([BACKBONES[self.name].target] if self.name in BACKBONES else []))

    def start(self, rule: str) -> dict[str, Any]:
        """What a training of it begins with, but for its weights."""
        return {
            "backbone": self.name,
            "options": self.options,
            "seed": self.config.backbone.seed,
            "code": self.code(rule),
        }

    def detector(self) -> list[str]:
        """Record of what finds the faces in pictures of basic emotions, where any is to be found."""
        found = any(one.faces != "whole" for one in self.config.backbone.emotions.sets)
        return [self.run.model_record("face_detector")] if found else []

    def detection(self) -> dict[str, Any]:
        """How they are found and aligned: as the faces of videos."""
        return self.config.features.faces.model_dump(include={"threshold", "nms", "long_side", "size"})

    def pictures(self) -> str:
        """Changes when the pictures of basic emotions do; what looks at them is loaded where there are any."""
        sets = self.config.backbone.emotions.sets
        if not sets:
            return ""
        from waver.datasets.emotions.readers import stamp

        return stamp(sets)


class Backbones(Stage):
    """All networks that look at faces: that of ``features.visual``, and those of ``train.backbones`` beside it."""

    def __init__(self, run: Run, first: Backbone) -> None:
        """With that of ``features.visual``, which is a stage of its own."""
        super().__init__(run)
        self.first = first
        self.others = tuple(Backbone(run, name) for name in self.config.train.backbones)

    def named(self, name: str) -> Backbone:
        """One by its name; by an empty one that of ``features.visual``."""
        return next((one for one in self.others if one.name == name), self.first)

    def packs(self, wildcards: Wildcards) -> list[str]:
        """Indexes of the packs of all shards with the features of the job's backbone."""
        own = self.named(wildcards.backbone)
        template = self.paths.pack_index_of(own.name if own.additional else "")
        return [template.format(shard=shard) for shard in self.run.shards]

    def frames_record(self, wildcards: Wildcards) -> dict[str, Any]:
        """What the predictions of the job's backbone say about what made them."""
        return self.named(wildcards.backbone).frames_record(wildcards)

    def check(self, load: bool) -> None:
        """Those beside the first have weights from somewhere."""
        for one in self.others:
            one.check(load)

    def model_records(self) -> list[str]:
        """Of those beside the first; that one's stands with the features."""
        return [one.record() for one in self.others]

    def installs(self) -> list[str]:
        """What they begin with."""
        return [record for one in self.others for record in one.installs()]

    def predictions(self) -> list[str]:
        """Of frames without their context."""
        return [file for one in self.others for file in one.predictions()]

    def methods(self) -> Iterable[str]:
        """They, where they predict."""
        return [name for one in self.others for name in one.methods()]
