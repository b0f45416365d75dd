"""The training section: recipe, models, and variants of the recipe."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from waver.config.section import MODALITY_SETS, Section, overlaid
from waver.registry import BACKBONES, MODALITIES

NOT_RECIPE = frozenset(
    {
        "runs", "seeds", "folds", "folding", "variants", "windows", "window_runs", "backbones", "backbone_runs",
        "ablations",
    }
)  # fmt: skip
"""Keys of the training section that say which models there are, not how one is trained."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")


class RunSpec(Section):
    """One row of the table of models."""

    fusion: str = Field(description="fusion, by its name in the registry")
    modalities: str = Field(
        pattern=MODALITY_SETS, description=f"letters of the modalities, in the order {', '.join(MODALITIES)}"
    )
    variants: tuple[str, ...] = Field(
        (), description="names in train.variants: this model is trained once more with each, as <fusion>.<name>"
    )

    @property
    def names(self) -> tuple[str, str]:
        """Fusion and modalities."""
        return self.fusion, self.modalities


class TrainConfig(Section):
    """Supervised frame-level training."""

    runs: tuple[RunSpec, ...] = Field(
        (
            *(RunSpec(fusion="lfan", modalities=m) for m in ("V", "A", "T", "VA", "VT", "AT", "VAT")),
            RunSpec(fusion="can", modalities="VAT"),
        ),
        description="fusion and modalities of each model, and the names of its variants",
    )
    variants: dict[str, dict[str, Any]] = Field(
        {}, description="name -> keys of this section that differ, options included; rows of runs name them"
    )
    windows: tuple[int, ...] = Field(
        (), description="ablation of the window, frames: each of window_runs is trained with every one, as <fusion>.w24"
    )
    window_runs: tuple[RunSpec, ...] = Field(
        (), description="rows of runs (fusion and modalities) that windows are tried on; empty: the first row"
    )
    backbones: tuple[str, ...] = Field(
        (),
        description="visual backbones beside features.visual.backbone, each trained as that one (backbone) and with "
        "features of its own: each of backbone_runs is trained on them, as <fusion>.<backbone>",
    )
    backbone_runs: tuple[RunSpec, ...] = Field(
        (), description="rows of runs (fusion and modalities) for backbones; empty: the first row"
    )
    ablations: tuple[str, ...] = Field(
        (), description="ablations of the conflict model, trained for each of its rows; docs/training.md lists them"
    )
    seeds: tuple[int, ...] = Field(
        (0, 1, 2, 3, 4), min_length=1, description="seeds; tables show the mean of their probabilities"
    )
    window: int = Field(696, ge=24, description="window, frames")
    hop: int = Field(48, ge=1, description="hop between training windows, frames")
    stride: int = Field(
        1,
        ge=1,
        description="models process every n-th frame; its prediction is repeated for all n (text changes slowly)",
    )
    batch: int = Field(4, ge=1, description="windows per step")
    undersample: float = Field(
        0.0, ge=0, description="windows without A/H per window with A/H, resampled each epoch; 0: all windows"
    )
    epochs: int = Field(60, ge=1, description="maximum number of epochs")
    patience: int = Field(15, ge=1, description="epochs without a better validation score before training stops")
    optimiser: Literal["sgd", "adamw"] = Field("sgd", description="sgd: Nesterov momentum .9, as released; adamw")
    lr: float = Field(1e-3, gt=0, description="learning rate")
    schedule: Literal["epochs", "steps"] = Field(
        "epochs",
        description="learning rate by epochs: sgd times .9 every 50, as released; adamw half a cosine; "
        "or by steps: a linear warm-up, then half a cosine",
    )
    warmup: float = Field(
        0.0, ge=0, lt=1, description="share of all steps in which the learning rate rises; needs schedule: steps"
    )
    weight_decay: float = Field(1e-4, ge=0, description="weight decay")
    decay_vectors: bool = Field(
        True,
        description="weight decay also on parameters other than layers' weights (biases, norms, the rates of a state "
        "space), as the papers do",
    )
    clip: float = Field(0.0, ge=0, description="maximum norm of the gradient of a step; 0: no limit")
    ema: float = Field(
        0.0, ge=0, lt=1, description="decay of a moving average of the weights, which is evaluated and kept; 0: none"
    )
    class_weight: bool = Field(False, description="weight the classes by inverse frequency; the papers do not")
    f1_share: float = Field(
        0.0, ge=0, description="factor of 1 - soft macro F1 in the loss; not for a fusion with a loss of its own"
    )
    cue_share: float = Field(
        0.0,
        ge=0,
        description="factor of an auxiliary loss: the model also predicts which cues the annotators name in a segment",
    )
    certainty: bool = Field(
        False, description="weight frames with A/H in the loss by the annotator's certainty, 1 for the greatest"
    )
    select: Literal["AP", "AP_paper", "AVGF1", "AVGF1_AP"] = Field(
        "AP", description="validation score of the kept epoch; AVGF1_AP: the mean of these two"
    )
    folds: int = Field(
        5,
        ge=0,
        le=20,
        description="folds of the cross-validation over participants of train and val, of all models; below 2: none",
    )
    folding: Literal["random", "numbers"] = Field(
        "random",
        description="participants held out together: random: at random; numbers: those with neighbouring participant "
        "numbers, who may have been recorded or annotated one after the other",
    )
    decision: Literal["half", "prevalence"] = Field(
        "half",
        description="decision threshold: half: probability above .5, as the papers do; prevalence: the margin is "
        "shifted so that as many training frames are predicted positive as are labelled positive",
    )
    decoding: Literal["none", "durations"] = Field(
        "none",
        description="durations: frames are decoded jointly, by how long A/H lasts in the training labels; the weight "
        "of a frame's evidence is chosen on the videos that chose the epoch",
    )
    padding: Literal["mask", "repeat"] = Field(
        "mask", description="mask: padding is not scored; repeat: as released, padding is scored"
    )
    precision: Literal["fp32", "bf16"] = Field("fp32", description="arithmetic of forward and backward passes")
    options: dict[str, dict[str, Any]] = Field(
        {}, description="fusion name -> keys of its own config that differ from its defaults"
    )

    @property
    def recipe(self) -> dict[str, Any]:
        """The keys that determine how one model is trained."""
        return self.model_dump(exclude=set(NOT_RECIPE))

    def changed(self, overrides: Mapping[str, Any]) -> TrainConfig:
        """The recipe with some keys changed; without the lists of models.

        Raises:
            ValueError: one sentence on the first key that is unknown, or has an impossible value.
        """
        try:
            return TrainConfig(**overlaid(self.recipe, overrides))
        except ValidationError as error:
            raise ValueError(_sentence(error)) from None

    @model_validator(mode="after")
    def _possible(self) -> TrainConfig:
        if self.hop > self.window:
            raise ValueError(f"hop {self.hop} is more than window {self.window}, which leaves frames out; lower hop")
        if self.warmup and self.schedule != "steps":
            raise ValueError("warmup needs schedule: steps")
        return self

    @model_validator(mode="after")
    def _variants_fit(self) -> TrainConfig:
        for name, overrides in self.variants.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"variants: {name!r} must be lower-case letters, digits and _, a letter first")
            listed = sorted(NOT_RECIPE & set(overrides))
            if listed:
                raise ValueError(f"variants.{name}: {listed[0]} is the same for all models and cannot differ here")
            try:
                self.changed(overrides)
            except ValueError as error:
                raise ValueError(f"variants.{name}: {error}") from None
        for run in self.runs:
            for name in run.variants:
                if name not in self.variants:
                    known = ", ".join(self.variants) or "none"
                    raise ValueError(f"runs: {name!r} is not in train.variants (known are {known})")
        return self

    @model_validator(mode="after")
    def _windows_fit(self) -> TrainConfig:
        for window in self.windows:
            if window < 24:
                raise ValueError(f"windows: {window} is less than 24 frames, a second")
        for key, names, rows in self._tried:
            for run in rows:
                if run.names not in {other.names for other in self.runs}:
                    raise ValueError(f"{key}: {run.fusion} on {run.modalities} is not in train.runs")
                if run.variants:
                    raise ValueError(f"{key}: give variants in train.runs")
            if names and not self.runs:
                raise ValueError(f"{key}: there is no row in train.runs")
        return self

    @property
    def _tried(self) -> tuple[tuple[str, tuple[Any, ...], tuple[RunSpec, ...]], ...]:
        """Key, what is tried, and the rows that it is tried on."""
        return (
            ("window_runs", self.windows, self.window_runs),
            ("backbone_runs", self.backbones, self.backbone_runs),
        )

    @model_validator(mode="after")
    def _backbones_fit(self) -> TrainConfig:
        for name in self.backbones:
            if name not in BACKBONES:
                raise ValueError(f"backbones: {name!r} is not a known backbone; known are {', '.join(BACKBONES)}")
        for run in self.backbone_runs or self.runs[:1] if self.backbones else ():
            if "V" not in run.modalities:
                raise ValueError(f"backbone_runs: {run.fusion} on {run.modalities} sees no faces; name rows with V")
        return self


def _sentence(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{where} is not a known key"
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    return f"{where}: {problem['msg']} (given: {problem['input']!r:.60})"
