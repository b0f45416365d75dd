"""The complete configuration, and its validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field, ValidationError, model_validator

from waver.config.sections import (
    AdaptConfig,
    AlignConfig,
    AnswersConfig,
    BackboneConfig,
    DatasetConfig,
    EvaluateConfig,
    FeaturesConfig,
    ModelsConfig,
    ReportConfig,
    Section,
    TrainConfig,
    VideosConfig,
    ZeroShotConfig,
)
from waver.errors import WaverError
from waver.registry import MODALITIES


class Config(Section):
    """All settings of a run. ``config/config.yaml`` holds the defaults, presets overlay them."""

    run: str = Field("default", pattern=r"^[a-z0-9_]+$", description="folder below results/")
    dataset: DatasetConfig = DatasetConfig()
    models: ModelsConfig = ModelsConfig()
    backbone: BackboneConfig = BackboneConfig()
    features: FeaturesConfig = FeaturesConfig()
    align: AlignConfig = AlignConfig()
    train: TrainConfig = TrainConfig()
    answers: AnswersConfig = AnswersConfig()
    videos: VideosConfig = VideosConfig()
    adapt: AdaptConfig = AdaptConfig()
    zeroshot: ZeroShotConfig = ZeroShotConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    report: ReportConfig = ReportConfig()

    @model_validator(mode="after")
    def _root_or_demo(self) -> Config:
        if self.dataset.root and self.dataset.source == "demo":
            raise ValueError("dataset.root is given, but dataset.source is demo; keep one of them")
        return self

    @model_validator(mode="after")
    def _words_alone(self) -> Config:
        if self.dataset.source != "transcripts":
            return self
        if self.features.speech.source != "given":
            raise ValueError("dataset.source is transcripts: set features.speech.source to given")
        letters = {letter for run in self.train.runs for letter in run.modalities}
        letters |= {letter for run in self.videos.runs for letter in run.modalities}
        letters |= set("".join(self.adapt.inputs)) if self.adapt.methods else set()
        there = [letter for letter, one in MODALITIES.items() if not one.recorded]
        if letters - set(there):
            raise ValueError(
                "dataset.source is transcripts: train.runs (and adapt, if it has methods) can use only "
                f"{', '.join(there[:-1])} and {there[-1]}, and so can videos.runs"
            )
        return self


def load_config(values: Mapping[str, Any]) -> Config:
    """Check a merged mapping of config values.

    Raises:
        WaverError: one sentence that names each invalid key and its mistake.
    """
    try:
        return Config.model_validate(dict(values))
    except ValidationError as error:
        problems = "; ".join(_sentence(problem) for problem in error.errors())
        raise WaverError(
            f"the config has {error.error_count()} mistake(s): {problems}; docs/config.md lists every key"
        ) from None


def _sentence(problem: Any) -> str:
    where = ".".join(_key(part) for part in problem["loc"]) or "the config"
    if problem["type"] == "extra_forbidden":
        return f"{where} is not a known key"
    if problem["type"] == "value_error" and isinstance(problem["input"], (Mapping, BaseModel)):
        return f"{where}: {problem['ctx']['error']}"
    return f"{where}: {problem['msg']} (given: {problem['input']!r:.60})"


def _key(part: object) -> str:
    """A key of a config file as one line, however long it is and whatever is in it."""
    text = str(part)
    return text if text.isprintable() and len(text) <= 60 else repr(text[:60])
