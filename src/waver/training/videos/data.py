"""What a video model is shown: which videos there are, and what of them, without the labels of test."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from waver.config.videos import VideosConfig
from waver.datasets.answers import Answer
from waver.datasets.question_context import video_context
from waver.datasets.questions import rows_with_questions
from waver.errors import WaverError
from waver.io.shard_job import store_path
from waver.io.tables import FEATURE_INDEX, PACK_INDEX, read_tables
from waver.training.corpus import Normalisation, VideoSample, read_corpus
from waver.training.videos.clips import FaceClips
from waver.training.videos.steps import VideoSteps, pooled

log = logging.getLogger(__name__)


class Examples(Protocol):
    """Videos with what a model takes of each."""

    @property
    def answers(self) -> Sequence[Answer]:
        """The videos, with their labels."""
        ...

    def batch(self, numbers: Sequence[int], draws: Sequence[np.random.Generator] | None) -> tuple[Any, ...]:
        """Inputs of the model for some of the videos; ``draws``, one each, in training alone."""
        ...


class Material(Protocol):
    """What lies in the stores for one kind of model."""

    def usable(self, answers: Sequence[Answer]) -> list[Answer]:
        """Those of the videos of which there is something to show; the others are named in the log."""
        ...

    def learn(self, answers: Sequence[Answer]) -> Normalisation | None:
        """The normalisation by the videos trained on."""
        ...

    def examples(self, answers: Sequence[Answer], normalisation: Normalisation | None) -> Examples:
        """The videos as a model takes them."""
        ...


class FaceMaterial:
    """Face stores.

    Args:
        indexes: FEATURE_INDEX tables of the faces; the stores lie in ``stores`` beside them.
        modalities: V, or VQ: the question asked and the length of the answer beside the faces.
        frames: F, frames of a clip.
        config: whether and how clips vary.
    """

    def __init__(self, indexes: Sequence[Path], modalities: str, frames: int, config: VideosConfig) -> None:
        self._with_question = "Q" in modalities
        self._rows = {row["video"]: row for row in read_tables(indexes, FEATURE_INDEX)}
        self._stores = Path(indexes[0]).with_name("stores")
        self._frames, self._config = frames, config

    def usable(self, answers: Sequence[Answer]) -> list[Answer]:
        there = [answer for answer in answers if self._rows.get(answer.video, {}).get("status") == "ok"]
        _log_missing(answers, there, {video: row["reason"] for video, row in self._rows.items()}, "store of faces")
        return there

    def learn(self, answers: Sequence[Answer]) -> Normalisation | None:
        return Normalisation.fit([_context_of(answer) for answer in answers]) if self._with_question else None

    def examples(self, answers: Sequence[Answer], normalisation: Normalisation | None) -> Examples:
        stores = {answer.video: store_path(self._stores, self._rows[answer.video]) for answer in answers}
        clips = FaceClips(answers, stores, self._frames, self._config.augment, self._config.least_crop)
        if normalisation is None:
            return clips
        known = [normalisation.apply(_context_of(answer)).features["question"] for answer in answers]
        return ClipsWithContext(clips, torch.from_numpy(np.concatenate(known)))


@dataclass(frozen=True)
class ClipsWithContext:
    """Clips, and the z-scored context float32 [N, C] of each video."""

    clips: FaceClips
    context: Tensor

    @property
    def answers(self) -> Sequence[Answer]:
        """The videos, with their labels."""
        return self.clips.answers

    def batch(self, numbers: Sequence[int], draws: Sequence[np.random.Generator] | None) -> tuple[Any, ...]:
        """``(clips, context)``, float32 [B, F, 3, 224, 224] and [B, C]."""
        return (*self.clips.batch(numbers, draws), self.context[list(numbers)])


def _context_of(answer: Answer) -> VideoSample:
    """What is known of a video without looking at it, as one step of a stream."""
    known = video_context([vars(answer)], timed=False).astype(np.float32)
    return VideoSample(
        video=answer.video,
        participant=answer.participant,
        split=answer.split,
        question=answer.question,
        features={"question": known},
        valid={"question": np.ones(1, bool)},
        label=np.zeros(1, np.uint8),
        labelled=False,
    )


class FeatureMaterial:
    """Packs, whose videos are read split by split when they are first used.

    Args:
        indexes: PACK_INDEX tables; the packs lie in ``packs`` beside them.
        modalities: letters; with Q, what is known of a recording is a stream of one step.
        config: frames of a step.
    """

    def __init__(self, indexes: Sequence[Path], modalities: str, config: VideosConfig) -> None:
        self._indexes, self._config = list(indexes), config
        self._seen = modalities.replace("Q", "")
        self._with_question = "Q" in modalities
        rows = rows_with_questions(indexes, PACK_INDEX)
        self._rows = {row["video"]: row for row in rows}
        if not self._seen:
            raise WaverError("video models need V, A, T or C; correct videos.runs")
        self._split = cache(self._read)

    def _read(self, split: str) -> dict[str, VideoSample]:
        packs = self._indexes[0].with_name("packs")
        samples = read_corpus(self._indexes, packs, self._seen, [split])
        found = {sample.video: pooled(sample, self._config.step_frames) for sample in samples}
        return {video: self._with_context(sample) for video, sample in found.items()} if self._with_question else found

    def _with_context(self, sample: VideoSample) -> VideoSample:
        known = video_context([self._rows[sample.video]], timed=True).astype(np.float32)
        features, valid = {**sample.features, "question": known}, {**sample.valid, "question": np.ones(1, bool)}
        return replace(sample, features=features, valid=valid)

    def usable(self, answers: Sequence[Answer]) -> list[Answer]:
        there = [answer for answer in answers if answer.video in self._split(answer.split)]
        _log_missing(answers, there, {video: row["reason"] for video, row in self._rows.items()}, "pack")
        return there

    def learn(self, answers: Sequence[Answer]) -> Normalisation:
        return Normalisation.fit([self._split(answer.split)[answer.video] for answer in answers])

    def examples(self, answers: Sequence[Answer], normalisation: Normalisation | None) -> Examples:
        assert normalisation is not None
        found = {answer.video: self._split(answer.split)[answer.video] for answer in answers}
        return VideoSteps(answers, {video: normalisation.apply(sample) for video, sample in found.items()})


def _log_missing(answers: Sequence[Answer], there: Sequence[Answer], reasons: Mapping[str, Any], kind: str) -> None:
    """Name in the log what is not there, and why."""
    missing: dict[str, list[str]] = defaultdict(list)
    for video in sorted({answer.video for answer in answers} - {answer.video for answer in there}):
        missing[reasons.get(video) or f"it has no {kind}"].append(video)
    for reason, videos in missing.items():
        log.warning("%s: excluded (%s); the other videos go on", ", ".join(videos), reason)


def on_device(inputs: tuple[Any, ...], device: torch.device) -> tuple[Any, ...]:
    """A model's inputs on another device."""
    return tuple(
        {name: value.to(device) for name, value in part.items()} if isinstance(part, dict) else part.to(device)
        for part in inputs
    )
