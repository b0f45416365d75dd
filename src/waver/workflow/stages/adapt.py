"""adapt: personalisation to each participant of a split."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

from waver.adaptation.guard import guard_for, picture_guard
from waver.datasets.folds import Folding
from waver.datasets.sharding import shard_of
from waver.errors import WaverError
from waver.features.receptive_fields import receptive_fields
from waver.modalities import names_of
from waver.records import VisionLanguageRecord
from waver.registry import ADAPTATIONS, MODALITIES
from waver.workflow.checks import check_methods
from waver.workflow.fingerprint import code
from waver.workflow.paths import diagnostics_of
from waver.workflow.run import Wildcards
from waver.workflow.stages.base import Stage

VISION_LANGUAGE = {name: one for name, one in ADAPTATIONS.items() if isinstance(one, VisionLanguageRecord)}


class Adapt(Stage):
    """A source model, and methods that adapt it to one person."""

    def check(self, load: bool) -> None:
        """The methods and their options are known, and how far each modality looks around a frame."""
        check_methods("adapt.methods", ADAPTATIONS, self.config.adapt.methods, self.config.adapt.options, load)
        if self.vision_language and not self.run.recorded:
            raise WaverError(
                f"adapt.methods: {self.vision_language[0]} looks at faces, which transcripts lack; leave it out"
            )
        self._check_participants()
        if self.config.adapt.targets == "cross_validation":
            self._check_cross_validation()
        if self.config.adapt.methods:
            receptive_fields(self._every_letter, self.config.features)

    def _check_participants(self) -> None:
        chosen = self.config.adapt.chosen
        if chosen is not None and (not chosen or len(set(chosen)) < len(chosen)):
            raise WaverError("adapt.participants: name at least one id, and none twice; or write all")

    def only(self, wildcards: Wildcards) -> list[str] | None:
        """Participants of the job's shard who are adapted to; None: all of its targets."""
        chosen, shards = self.config.adapt.chosen, len(self.run.shards)
        return None if chosen is None else [one for one in chosen if shard_of(one, shards) == wildcards.shard]

    def _check_cross_validation(self) -> None:
        if not self.run.cross_validated:
            raise WaverError("adapt.targets: cross_validation needs folds; set train.folds to 2 or more")
        if self.vision_language:
            raise WaverError(
                f"adapt.targets: cross_validation is for methods over features, {self.vision_language[0]} starts from "
                "CLIP as it is; set adapt.targets to val or test, or leave the method out"
            )

    def predictions(self) -> list[str]:
        """Of every method, protocol, seed and shard of the config."""
        adapt = self.config.adapt
        return [
            self.paths.adapt_predictions.format(method=method, protocol=protocol, seed=seed, shard=shard)
            for method, protocol, seed, shard in product(self._adapted, adapt.protocols, adapt.seeds, self.run.shards)
        ]

    @property
    def _adapted(self) -> list[str]:
        """Methods as in paths: those over features once for each input, those over CLIP once."""
        others = self.config.adapt.inputs[1:]
        further = [name for name in self.config.adapt.methods if name not in VISION_LANGUAGE]
        return [*self.config.adapt.methods, *(f"modalities/{one}/{name}" for one in others for name in further)]

    def letters(self, wildcards: Wildcards) -> str:
        """Modalities of the job's source model."""
        _, _, own = getattr(wildcards, "letters", "").rstrip("/").rpartition("/")
        return own or self.config.adapt.inputs[0]

    @property
    def _every_letter(self) -> str:
        """Modalities of any source model: all are scored on the same frames, which the widest guard keeps apart."""
        return "".join(letter for letter in MODALITIES if letter in "".join(self.config.adapt.inputs))

    def diagnostics(self) -> list[str]:
        """Beside the predictions, in their order."""
        return [diagnostics_of(path) for path in self.predictions()]

    def shards_of_participant(self, wildcards: Wildcards) -> list[str]:
        """Predictions, of every seed, for the shard of one participant."""
        shard = shard_of(wildcards.participant, len(self.run.shards))
        template, adapt = self.paths.adapt_predictions, self.config.adapt
        method, protocol = wildcards.adapted, wildcards.protocol
        return [template.format(method=method, protocol=protocol, seed=seed, shard=shard) for seed in adapt.seeds]

    def methods(self) -> Iterable[str]:
        """The methods of the config."""
        return self.config.adapt.methods

    @property
    def vision_language(self) -> list[str]:
        """Those that adapt CLIP."""
        return [name for name in self.config.adapt.methods if name in VISION_LANGUAGE]

    def model_records(self) -> list[str]:
        """Of CLIP, where a method adapts it."""
        return [self.encoder()] if self.vision_language else []

    def encoder(self) -> str:
        """Record of CLIP.

        Raises:
            WaverError: the config gives no checkpoint.
        """
        return self.run.model_record("clip")

    def views(self) -> dict[str, Any]:
        """The part of the config that decides views."""
        return self.config.adapt.vision_language.model_dump(include={"views", "least_area", "batch"})

    def seen_views(self, wildcards: Wildcards) -> list[str]:
        """Index of the views of the job's shard, if the method sees any."""
        wanted = self.config.adapt.options.get(wildcards.method, {}).get("views", False)
        needed = VISION_LANGUAGE[wildcards.method].views or wanted
        return [self.paths.feature_index("views").format(shard=wildcards.shard)] if needed else []

    def seen_faces(self, wildcards: Wildcards) -> list[str]:
        """Index of the faces of the job's shard, if the method sees pictures."""
        return self._faces(wildcards.method, [wildcards.shard])

    def seen_everywhere(self, wildcards: Wildcards) -> list[str]:
        """Indexes of the faces of all shards, if the method sees pictures."""
        return self._faces(wildcards.method, self.run.shards)

    def _faces(self, method: str, shards: Iterable[str]) -> list[str]:
        pictures = VISION_LANGUAGE[method].pictures
        return [self.paths.feature_index("faces").format(shard=shard) for shard in shards if pictures]

    def fitted(self, wildcards: Wildcards) -> list[str]:
        """What the method prepared on the train split, if it does."""
        fitted = VISION_LANGUAGE[wildcards.method].fitted
        return [self.paths.adapt_fitted.format(**wildcards)] if fitted else []

    def vision_language_recipe(self, wildcards: Wildcards) -> dict[str, Any]:
        """The part of the config that decides the job of a method that adapts CLIP."""
        adapt = self.config.adapt
        options = {wildcards.method: adapt.options[wildcards.method]} if wildcards.method in adapt.options else {}
        shared = adapt.vision_language.model_dump(exclude={"batch"})
        return {"targets": adapt.targets, "vision_language": shared, "options": options}

    def vision_language_code(self, wildcards: Wildcards) -> str:
        """Fingerprint of the loop and of this method; other methods do not count."""
        return code("adapt_vision_language", ADAPTATIONS[wildcards.method].target)

    def fit_code(self, wildcards: Wildcards) -> str:
        """Fingerprint of the preparation of this method."""
        return code("adapt_fit", ADAPTATIONS[wildcards.method].target)

    def picture_guard(self, wildcards: Wildcards) -> dict[str, Any]:
        """As ``guard``, where pictures alone are in use."""
        return picture_guard(wildcards.protocol, self.config.features)._asdict()

    def vision_language_record(self, wildcards: Wildcards) -> dict[str, Any]:
        """What its predictions say about what made them."""
        return self.run.prediction_record(self.vision_language_code(wildcards), self.vision_language_recipe(wildcards))

    def _recipe(self, wildcards: Wildcards, *methods: str) -> dict[str, Any]:
        adapt = self.config.adapt
        decisive = ("targets", "scope", "source_epochs")
        options = {name: adapt.options[name] for name in methods if name in adapt.options}
        own = {"modalities": self.letters(wildcards), "options": options}
        return {key: getattr(adapt, key) for key in decisive} | own

    def source_recipe(self, wildcards: Wildcards) -> dict[str, Any]:
        """The part of the config that decides the source model."""
        return self._recipe(wildcards)

    @property
    def folding(self) -> tuple[int, Folding] | None:
        """Number of folds and who is held out together, where the source models are cross-validated."""
        train = self.config.train
        return (train.folds, train.folding) if self.config.adapt.targets == "cross_validation" else None

    def streams(self, wildcards: Wildcards) -> dict[str, str]:
        """What the source model takes from the records of its modalities."""
        return names_of(self.letters(wildcards))

    def recipe(self, wildcards: Wildcards) -> dict[str, Any]:
        """The part of the config that decides one method's job."""
        return self._recipe(wildcards, wildcards.method)

    def code(self, wildcards: Wildcards) -> str:
        """Fingerprint of the runner and of this method; other methods do not count."""
        return code("adapt_target", ADAPTATIONS[wildcards.method].target)

    def guard(self, wildcards: Wildcards) -> dict[str, Any]:
        """What keeps a participant's subsets apart; decided by the features in use."""
        return guard_for(wildcards.protocol, self._every_letter, self.config.features)._asdict()

    def record(self, wildcards: Wildcards) -> dict[str, Any]:
        """What its predictions say about what made them."""
        return self.run.prediction_record(self.code(wildcards), self.recipe(wildcards))
