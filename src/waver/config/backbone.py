"""The section of the config on the training of the visual backbone."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from waver.config.section import Section, UserPath


class EmotionImages(Section):
    """One data set of faces with basic emotions."""

    layout: Literal["folders", "raf_db", "affectnet", "aff_wild2"] = Field(
        "folders", description="its layout; folders: <class>/*.jpg or <part>/<class>/*.jpg"
    )
    path: UserPath = Field(description="its folder")
    every: int = Field(1, ge=1, description="every n-th frame of a video (aff_wild2)")
    faces: Literal["given", "detected", "whole"] = Field(
        "given",
        description="given: the landmarks or the alignment that the data set brings, else detected; detected: found "
        "and aligned as the faces of videos; whole: the middle of the picture",
    )


class ImageRecipe(Section):
    """Recipe of one stage of training on single pictures (2026 paper, training details)."""

    epochs: int = Field(60, ge=1, description="maximum number of epochs")
    patience: int = Field(15, ge=1, description="epochs without a better validation score before training stops")
    batch: int = Field(1424, ge=2, description="pictures per step")
    at_once: int = Field(
        356,
        ge=2,
        description="pictures per forward pass; a step accumulates the gradients of as many passes as it needs",
    )
    optimiser: Literal["sgd", "adamw"] = Field("sgd", description="sgd: Nesterov momentum .9, the papers'; adamw")
    lr: float = Field(1e-3, gt=0, description="learning rate")
    schedule: Literal["epochs", "cosine"] = Field(
        "epochs",
        description="learning rate by epochs: sgd times .9 every 50, as released, adamw half a cosine; "
        "or cosine: half a cosine to 0 over all epochs, with either",
    )
    new_layers: float = Field(10, gt=0, description="factor of the learning rate for randomly initialised layers")
    weight_decay: float = Field(1e-4, ge=0, description="weight decay")
    decay_vectors: bool = Field(
        True,
        description="weight decay also on parameters other than layers' weights (biases, norms, APViT's class token "
        "and positions), as the papers do",
    )
    clip: float = Field(0.0, ge=0, description="maximum norm of the gradient of a step; 0: no limit")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="arithmetic of forward and backward passes")


class EmotionsStage(ImageRecipe):
    """First stage: six basic emotions."""

    sets: tuple[EmotionImages, ...] = Field(
        (), description="data sets, each with the keys layout, path, every and faces"
    )


class FramesStage(ImageRecipe):
    """Second stage: frames of the data set, with and without A/H."""

    every: int = Field(1, ge=1, description="every n-th frame of a video, in train and val")


class BackboneConfig(Section):
    """Training of the network that features.visual.backbone names; without stages there is none."""

    stages: tuple[Literal["emotions", "ah"], ...] = Field(
        (), description="emotions: basic emotions; ah: frames of this data set; in this order, either may be left out"
    )
    seed: int = Field(0, description="seed of new layers, order of pictures, crops and sampling of negatives")
    emotions: EmotionsStage = EmotionsStage()
    ah: FramesStage = FramesStage()

    @field_validator("stages")
    @classmethod
    def _in_order(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value not in ((), ("emotions",), ("ah",), ("emotions", "ah")):
            raise ValueError("must be [], [emotions], [ah] or [emotions, ah]")
        return value

    @model_validator(mode="after")
    def _with_pictures(self) -> BackboneConfig:
        if "emotions" in self.stages and not self.emotions.sets:
            raise ValueError("stages has emotions, and emotions.sets is empty; name the data sets")
        return self
