"""Config of the stage ``adapt``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator

from waver.config.section import MODALITY_SETS, Section
from waver.config.vision_language import VisionLanguageConfig
from waver.registry import MODALITIES

TTA10 = ("82711", "82687", "82585", "82592", "82598", "82632", "82681", "82683", "82708", "82714")
"""The fixed list of target participants in the releases of CLIP-AUTT and TTA-CaP."""


class AdaptedNetwork(Section):
    """A network that is adapted to each participant as a whole: a row of ``adapt.fusions`` or ``adapt.faces``."""

    methods: tuple[str, ...]
    options: dict[str, dict[str, Any]] = Field(
        {}, description="method name -> keys of its own config that differ from those in adapt.options"
    )

    @property
    def names(self) -> dict[str, str]:
        """Wildcards of its paths; no two rows have the same."""
        raise NotImplementedError

    @property
    def scored(self) -> tuple[str, ...]:
        """The methods, after the network as it was."""
        return tuple(dict.fromkeys(("source_only", *self.methods)))

    def options_of(self, method: str, common: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Those of all networks (``adapt.options``), changed by the row's own."""
        return {**common.get(method, {}), **self.options.get(method, {})}


class AdaptedFusion(AdaptedNetwork):
    """A model of frames that is adapted to each participant as a whole."""

    fusion: str = Field(description="fusion, as in train.runs, or <fusion>.<variant>")
    modalities: str = Field(pattern=MODALITY_SETS, description="letters of the modalities, as in train.runs")
    methods: tuple[str, ...] = Field(
        ("bn_adapt", "tent", "sar", "t3a"),
        description="methods; the fusion as it was trained (source_only) is always scored beside them",
    )

    @property
    def names(self) -> dict[str, str]:
        """Fusion and modalities."""
        return {"fusion": self.fusion, "modalities": self.modalities}


class AdaptedFaces(AdaptedNetwork):
    """A network that looks at faces and is adapted to each participant from the pictures on."""

    network: Literal["backbone", "clip"] = Field(
        "backbone",
        description="backbone: features.visual.backbone with the classes of its stage ah; clip: the image tower of "
        "models.paths.clip, with the sentences of adapt.vision_language as classes",
    )
    scope: Literal["head", "lora", "full"] = Field(
        "full",
        description="what is adapted; head: the layers after the encoder; lora: these, and a change of low rank of the "
        "encoder's linear layers; full: everything",
    )
    methods: tuple[str, ...] = Field(
        ("mmd", "acpl", "shot", "nrc", "oracle"),
        description="methods; the network as it was (source_only) is always scored beside them",
    )
    rank: int = Field(8, ge=1, description="lora: rank of the change, which is multiplied by 16 / rank")
    layers: tuple[str, ...] = Field(
        ("qkv", "q_proj", "v_proj"),
        min_length=1,
        description="lora: names of the linear layers that change; query and value of attention, as APViT and CLIP "
        "call them",
    )
    source_pictures: int = Field(
        8000, ge=2, description="pictures of train that mmd, acpl and eata are given, evenly drawn and held in memory"
    )

    @property
    def names(self) -> dict[str, str]:
        """Network and scope."""
        return {"face_network": self.network, "scope": self.scope}


class AdaptConfig(Section):
    """Personalisation to each participant of a split (dataset paper, appendix E.3)."""

    methods: tuple[str, ...] = Field(
        ("source_only", "shot", "oracle"), description="methods, by their names in the registry"
    )
    protocols: tuple[Literal["frame_random", "block", "video"], ...] = Field(
        ("frame_random", "block"),
        description="how a participant's frames are split; frame_random: at random; block: by "
        "blocks of time with a guard between them; video: by whole videos",
    )
    targets: Literal["test", "val", "cross_validation"] = Field(
        "test",
        description="split whose participants are adapted to; with val, a fifth of train's participants is held out "
        "to choose the epoch of the source model; cross_validation: everybody in train and val, each from a source "
        "model that never saw them (train.folds, train.folding)",
    )
    participants: Literal["all", "tta10"] | tuple[str, ...] = Field(
        "all",
        description="of these, who is adapted to: all, a list of ids, or tta10, the ten people of the dataset paper's "
        "test split that the authors of TTA-CaP and CLIP-AUTT adapt to",
    )
    modalities: str | tuple[str, ...] = Field(
        "V",
        description="modalities of the source model's input; a list of several inputs, as [V, VAT], adapts a source "
        "model of each, on the same frames",
    )
    fusions: tuple[AdaptedFusion, ...] = Field(
        (), description="models of train.runs that are adapted themselves, and by which methods"
    )
    faces: tuple[AdaptedFaces, ...] = Field(
        (), description="networks that are adapted from the pictures of faces on, and by which methods"
    )
    scope: Literal["head"] = Field(
        "head", description="what methods adapts; head: bottleneck and head over frozen features (networks: faces)"
    )
    seeds: tuple[int, ...] = Field((0,), min_length=1, description="seeds")
    source_epochs: int = Field(20, ge=1, description="epochs of the source model")
    vision_language: VisionLanguageConfig = Field(
        VisionLanguageConfig(), description="what the vision-language methods share"
    )
    options: dict[str, dict[str, Any]] = Field(
        {}, description="method name -> keys of its own config that differ from its defaults"
    )

    @field_validator("modalities")
    @classmethod
    def _are_inputs(cls, given: str | tuple[str, ...]) -> str | tuple[str, ...]:
        inputs = (given,) if isinstance(given, str) else given
        if not inputs or len(set(inputs)) < len(inputs):
            raise ValueError("name at least one input, and none twice")
        for letters in inputs:
            if not re.fullmatch(MODALITY_SETS, letters):
                raise ValueError(f"{letters!r} is no input; write the letters of {', '.join(MODALITIES)} in this order")
        return given

    @property
    def chosen(self) -> tuple[str, ...] | None:
        """Ids of those who are adapted to; None: all targets."""
        named = {"all": None, "tta10": TTA10}
        return named[self.participants] if isinstance(self.participants, str) else self.participants

    @property
    def inputs(self) -> tuple[str, ...]:
        """Letters of the modalities of each source model."""
        return (self.modalities,) if isinstance(self.modalities, str) else self.modalities

    @property
    def input(self) -> str:
        """Letters of the modalities of a job's source model, which has one."""
        (letters,) = self.inputs
        return letters

    @property
    def target_splits(self) -> tuple[str, ...]:
        """Splits of the data set whose participants are adapted to."""
        return ("train", "val") if self.targets == "cross_validation" else (self.targets,)
