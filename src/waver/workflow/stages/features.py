"""features, align: what is made of each video, and the models that make it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from waver.modalities import derived_modalities, feature_names, layouts
from waver.records import Modality
from waver.registry import READERS
from waver.workflow.fingerprint import code
from waver.workflow.run import Run, Wildcards
from waver.workflow.stages.backbone import Backbone
from waver.workflow.stages.base import Stage

CONVERTED = "resources/models/converted/speech_recogniser/asset.json"
"""Record of a recogniser that was given in the format of transformers."""

VISUAL = "visual"
"""The features of faces, of which there are some for each backbone."""


class Features(Stage):
    """From a video to arrays."""

    def __init__(self, run: Run, backbone: Backbone) -> None:
        """With the backbone that looks at faces."""
        super().__init__(run)
        self.backbone = backbone

    @property
    def names(self) -> list[str]:
        """What is made of each video; without video files speech, words and cues alone."""
        return feature_names(self.run.recorded)

    @property
    def aligned(self) -> list[str]:
        """Those of ``names`` that are put on one clock."""
        return [name for name in self.names if name != "speech"]

    def to_pack(self, name: str) -> Callable[[Wildcards], str]:
        """The index of one of ``aligned`` that a job packs: of the visual features that of the pack's backbone."""
        if name != VISUAL:
            return lambda wildcards: self.paths.feature_index(name).format(shard=wildcards.shard)
        return lambda wildcards: self.paths.visual_index(wildcards.packed[1:]).format(shard=wildcards.shard)

    @property
    def streams(self) -> list[dict[str, Any]]:
        """What decides how they are packed."""
        return layouts()

    @property
    def derived(self) -> list[str]:
        """Those of ``names`` that are computed from others by a function."""
        return [one.feature for one in derived_modalities() if one.feature in self.names]

    def _derived(self, wildcards: Wildcards) -> Modality:
        """The modality that a job derives."""
        return next(one for one in derived_modalities() if one.feature == wildcards.derived)

    def function(self, wildcards: Wildcards) -> str:
        """What derives it."""
        return self._derived(wildcards).function

    def sources(self, wildcards: Wildcards) -> list[str]:
        """Names of the features that it is derived from."""
        return list(self._derived(wildcards).sources)

    def source_indexes(self, wildcards: Wildcards) -> list[str]:
        """Their indexes of the job's shard."""
        return [
            self.paths.feature_index(name).format(shard=wildcards.shard) for name in self._derived(wildcards).sources
        ]

    def derived_code(self, wildcards: Wildcards) -> str:
        """Fingerprint of the job and of the function."""
        return code("features_derived", self._derived(wildcards).function)

    def model_records(self) -> list[str]:
        """Of the encoder of words, of what looks at faces, and of what listens."""
        records = [self.run.model_record("word_encoder")]
        if self.run.recorded:
            records += [self.run.model_record("face_detector"), *self.face_embedding(), self.backbone.record()]
        return [*records, *self.recogniser(), *self.aligners(), *self.audio_models(), *self.cue_models()]

    def face_embedding(self) -> list[str]:
        """Record of the embedding by which one person is followed, where the config chooses one and uses it."""
        faces = self.config.features.faces
        used = self.run.chosen("face_embedding") and (faces.source, faces.choice) == ("detect", "recording")
        return [self.run.model_record("face_embedding")] if used else []

    def recogniser(self) -> list[str]:
        """Record of the recogniser of speech, where speech is recognised."""
        if self.config.features.speech.source != "recognise":
            return []
        return [CONVERTED if self._of_transformers() else self.run.model_record("speech_recogniser")]

    def _of_transformers(self) -> bool:
        """Whether the recogniser that the config gives is in the format of transformers, and not of CTranslate2."""
        given = self.config.models.paths.get("speech_recogniser")
        folder = Path(given) if given else None
        return bool(folder and (folder / "config.json").is_file() and not (folder / "model.bin").is_file())

    def recogniser_as_given(self, wildcards: Wildcards) -> str:
        """Record of the recogniser in the format in which it is given."""
        return self.run.model_record("speech_recogniser")

    def _aligner_roles(self) -> list[str]:
        roles = [role for role in READERS if role.startswith("aligner_") and self.run.chosen(role)]
        return roles if self.run.recorded else []

    def aligners(self) -> list[str]:
        """Records of the models of forced alignment that are given, where there is sound."""
        return [self.run.model_record(role) for role in self._aligner_roles()]

    def speech_code(self, wildcards: Wildcards) -> str:
        """Fingerprint of the words and their times, and of what reads the models of forced alignment."""
        return code("features_speech", *_loaders(self._aligner_roles()))

    def _audio_roles(self) -> list[str]:
        feature = self.config.features.audio.feature
        return [feature] if self.run.recorded and feature != "logmel_stats" else []

    def audio_models(self) -> list[str]:
        """Record of the model that the audio feature needs, where it needs one."""
        return [self.run.model_record(role) for role in self._audio_roles()]

    def audio_code(self, wildcards: Wildcards) -> str:
        """Fingerprint of the audio feature and of what reads its model."""
        return code("features_audio", *_loaders(self._audio_roles()))

    def _cue_roles(self) -> list[str]:
        return ["sentiment"] if "sentiment" in self.config.models.paths else []

    def cue_models(self) -> list[str]:
        """Record of the model that the targets of affect need, where one is given."""
        return [self.run.model_record(role) for role in self._cue_roles()]

    def cue_code(self, wildcards: Wildcards) -> str:
        """Fingerprint of the cues and of what reads their model."""
        return code("features_cues", *_loaders(self._cue_roles()))


def _loaders(roles: Sequence[str]) -> list[str]:
    """What reads the models of some roles, where nobody else needs it."""
    return [READERS[role].target for role in roles if role in READERS]
