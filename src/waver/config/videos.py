"""The section of video-level models."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from waver.config.section import MODALITY_SETS, Section
from waver.registry import VIDEO_MODELS


class VideoRun(Section):
    """One row of the table of video-level models."""

    model: str = Field(description="model, by its name in the registry")
    modalities: str = Field("V", pattern=MODALITY_SETS, description="letters; V or VQ for models of pixels")
    seeds: tuple[int, ...] = Field((0,), min_length=1, description="seeds; tables show the mean of the probabilities")


class VideosConfig(Section):
    """Video-level models: one decision per video, from its faces' pixels or its frames' features."""

    runs: tuple[VideoRun, ...] = Field((), description="model, modalities and seeds of each row")
    epochs: int = Field(60, ge=1, description="maximum number of epochs")
    patience: int = Field(60, ge=1, description="epochs without a better validation score before training stops")
    batch: int = Field(64, ge=1, description="videos per step")
    at_once: int = Field(
        64, ge=1, description="videos per forward pass; a step accumulates the gradients of as many passes as it needs"
    )
    optimiser: Literal["sgd", "adamw"] = Field("sgd", description="sgd: Nesterov momentum .9; adamw")
    lr: float = Field(0.0125, gt=0, description="highest learning rate")
    body_rate: float = Field(
        1,
        ge=0,
        description="learning rate of the body (Video-FocalNet below its classifier, CLIP's towers), as a share of lr",
    )
    warm_up: float = Field(
        5, ge=0, description="epochs in which the learning rate rises from 0; then it falls on a cosine"
    )
    weight_decay: float = Field(1e-4, ge=0, description="weight decay; none on biases, norms and other vectors")
    clip: float = Field(5, gt=0, description="maximum norm of the gradient")
    label_smoothing: float = Field(
        0.1, ge=0, lt=1, description="share of a label that is spread evenly over both classes"
    )
    select: Literal["AP", "AP_paper", "AVGF1"] = Field("AP", description="validation score of the kept epoch")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="arithmetic of forward and backward passes")
    augment: bool = Field(True, description="augment the faces in training: crop, mirror, colours, grey")
    least_crop: float = Field(0.08, gt=0, le=1, description="minimum share of a face's area that a crop keeps")
    step_frames: int = Field(8, ge=1, description="frames whose features are averaged to one step; 8: 3 steps a second")
    recipes: dict[str, dict[str, Any]] = Field(
        {},
        description="model name -> keys of this section that differ for it; the defaults of emoclip and discrepancy "
        "are those of their authors (docs/video_models.md)",
    )
    options: dict[str, dict[str, Any]] = Field(
        {}, description="model name -> keys of its own config that differ from its defaults"
    )

    def recipe(self, model: str) -> VideosConfig:
        """The section for one model: its authors' keys, then the user's; without the keys of other models."""
        authors = VIDEO_MODELS[model].recipe if model in VIDEO_MODELS else {}
        own = {**authors, **self.recipes.get(model, {})}
        own["options"] = {model: self.options.get(model, {})}
        return VideosConfig(**{**self.model_dump(), **own, "runs": (), "recipes": {}})

    @model_validator(mode="after")
    def _recipes_fit(self) -> VideosConfig:
        known = set(type(self).model_fields) - {"runs", "recipes", "options"}
        for model, own in self.recipes.items():
            unknown = sorted(set(own) - known)
            if unknown:
                listed = f"known are {', '.join(sorted(known))}"
                raise ValueError(f"recipes.{model}.{unknown[0]} is not a known key ({listed})")
            try:
                VideosConfig(**own)
            except ValidationError as error:
                problem = error.errors()[0]
                where = ".".join(str(part) for part in problem["loc"])
                raise ValueError(f"recipes.{model}.{where}: {problem['msg']}") from None
        return self
