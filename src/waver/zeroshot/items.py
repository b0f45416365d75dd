"""What a job asks about: the videos of a shard, their windows, the prompts, and what the model is shown and plays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from waver.config.zeroshot import ZeroShotConfig
from waver.datasets.answers import Answer, read_answers
from waver.errors import ExcludedItem, WaverError
from waver.features.clock import FrameClock, frame_clock
from waver.features.samples import RATE_HZ, Samples
from waver.features.waveform import read_in_worker
from waver.io.shard_job import store_path
from waver.io.tables import ANSWERS, FEATURE_INDEX, VIDEOS, read_table
from waver.records import load
from waver.registry import CUE_DESCRIBERS
from waver.shapes import FPS
from waver.zeroshot.families.base import Capabilities, Item, Pictures, Prompt
from waver.zeroshot.frames import faces, full_frames, grey_frames
from waver.zeroshot.prompts.prompt_set import SLOTS
from waver.zeroshot.questions import Question, Said
from waver.zeroshot.windows import Window, whole_video, windows

Row = dict[str, Any]


@dataclass(frozen=True)
class Sources:
    """Files of one shard; those that a model does not need are None.

    Attributes:
        answers: ANSWERS table, with the data set's transcripts.
        videos: VIDEOS table; None where no recording is needed.
        root: folder that the videos' paths are relative to.
        speech: FEATURE_INDEX table of the speech.
        faces: that of the faces.
        cue_features: feature -> index of those that cues are found in, of prompts that describe cues.
    """

    answers: Path
    videos: Path | None = None
    root: Path = Path()
    speech: Path | None = None
    faces: Path | None = None
    cue_features: Mapping[str, Path] = field(default_factory=dict)


def shards_of(
    answers: Sequence[str], videos: Sequence[str], speech: Sequence[str], faces: Sequence[str], root: Path
) -> list[Sources]:
    """Files of several shards, of each kind one a shard or, where the model does not need it, none."""
    kinds: list[list[Path | None]] = [[*map(Path, paths)] or [None] * len(answers) for paths in (videos, speech, faces)]
    return [
        Sources(Path(own), video, root, spoken, face) for own, video, spoken, face in zip(answers, *kinds, strict=True)
    ]


class Planned(NamedTuple):
    """A video or window of it, with its prompts.

    Attributes:
        window: None where there is no recording.
        prompts: one a question.
    """

    window: Window | None
    prompts: list[Prompt]


@dataclass(frozen=True)
class PlannedVideo:
    """A video that is asked about.

    Attributes:
        row: of its table.
        parts: the whole video, or its windows.
        clock: of the file, where a recording is needed.
    """

    row: Row
    parts: list[Planned] = field(repr=False)
    clock: FrameClock | None = None


class Items:
    """What one job asks about.

    Args:
        sources: files of the shard.
        takes: what the model takes.
        questions: of the job.
        window: frames of a window; None: whole videos.
        config: whom to ask about, frames and transcript.
        hesitations: the recogniser was asked for them.

    Raises:
        WaverError: the model has no room for as many frames.
    """

    def __init__(
        self,
        sources: Sources,
        takes: Capabilities,
        questions: Sequence[Question],
        window: int | None,
        config: ZeroShotConfig,
        hesitations: bool,
    ) -> None:
        self._sources, self._takes, self._questions, self._window = sources, takes, questions, window
        self._config = config
        number = config.frames.number
        if takes.most_frames is not None and number > takes.most_frames:
            raise WaverError(
                f"zeroshot.frames.number is {number}, and beside a prompt the model has room for {takes.most_frames}; "
                "give fewer"
            )
        answers = read_answers([sources.answers])
        self._said = Said(answers, sources.speech, config.transcript, hesitations)
        self._cues = _cues(sources, answers, questions, config)
        self._faces = _finished(sources.faces)

    def rows(self) -> list[Row]:
        """Videos of the splits that are asked about; of a model that needs no recording, all that are listed."""
        sources = self._sources
        table = read_table(sources.videos, VIDEOS) if sources.videos else read_table(sources.answers, ANSWERS)
        return [row for row in table if row["split"] in self._config.splits]

    def recording(self, row: Row) -> tuple[str | None, str | None]:
        """Sum of a video's file and key of its store of faces; None of what is not shown and not heard."""
        return row.get("checksum"), self._faces.get(row["video"], {}).get("key")

    def plan(self, row: Row) -> PlannedVideo:
        """Windows and prompts of a video; nothing is decoded.

        Raises:
            ExcludedItem: the file cannot be read.
        """
        if self._sources.videos is None:
            return PlannedVideo(row, [Planned(None, self._prompts(row, None))])
        clock = frame_clock(self._sources.root / row["path"])
        frames = self._config.frames
        if self._window is None:
            cut = [whole_video(clock.frames, frames.number, frames.sampling)]
        else:
            stride = self._config.stride or None
            cut = windows(clock.frames, self._window, stride, frames.number, frames.sampling)
        if self._config.transcript.scope == "video":
            prompts = self._prompts(row, None)
            return PlannedVideo(row, [Planned(window, prompts) for window in cut], clock)
        return PlannedVideo(row, [Planned(window, self._prompts(row, window)) for window in cut], clock)

    def _prompts(self, row: Row, window: Window | None) -> list[Prompt]:
        said = self._said.of(row["video"], window) | (self._cues.of(row["video"], window) if self._cues else {})
        return [question.about(said) for question in self._questions]

    def items(self, video: PlannedVideo, parts: Sequence[Planned]) -> Iterator[tuple[Planned, Item]]:
        """What the model is shown of some parts of a video, in their order.

        Raises:
            ExcludedItem: the video cannot be decoded, or lacks what the model needs.
        """
        if video.clock is None or not (self._takes.video or self._takes.audio):
            yield from ((part, Item()) for part in parts)
            return
        clock, of = video.clock, {id(part.window): part for part in parts}
        cut = [part.window for part in parts if part.window is not None]
        sound = self._sound(video.row, clock) if self._takes.audio else None
        for window, pictures in self._pictures(video.row, clock, cut):
            first, last = (frame * RATE_HZ // FPS for frame in (window.start_frame, window.end_frame))
            heard = None if sound is None else sound[first:last]
            yield of[id(window)], Item(pictures, window.frames / FPS, heard)

    def _pictures(self, row: Row, clock: FrameClock, cut: Sequence[Window]) -> Iterator[tuple[Window, Pictures | None]]:
        if not self._takes.video:
            return ((window, None) for window in cut)
        if self._sources.faces is None:
            return full_frames(self._sources.root / row["path"], clock, cut)
        known = self._faces.get(row["video"])
        if known is None:
            raise ExcludedItem("its face was set aside", "see what the stage features says about the video")
        return faces(store_path(self._sources.faces.with_name("stores"), known), cut)

    def _sound(self, row: Row, clock: FrameClock) -> Samples:
        path, length_s = self._sources.root / row["path"], clock.frames / FPS
        return read_in_worker(path, clock.audio_start_s, length_s, row["language"]).samples

    def content_free(self) -> tuple[Item, list[Prompt]]:
        """An item of nothing: grey pictures, silence, and prompts without what anybody said."""
        count = self._config.frames.number
        times_s = np.arange(count) / FPS
        item = Item(
            grey_frames(count) if self._takes.video else None,
            times_s if self._takes.video else None,
            np.zeros(RATE_HZ * 2, np.float32) if self._takes.audio else None,
        )
        nothing: Mapping[str, str] = dict.fromkeys(SLOTS, "")
        return item, [question.about(nothing) for question in self._questions]


def _cues(sources: Sources, answers: Sequence[Answer], questions: Sequence[Question], config: ZeroShotConfig) -> Any:
    """What tells the cues of a video; None where no prompt asks for them."""
    if {"cues", "timeline"}.isdisjoint(slot for question in questions for slot in question.template.slots):
        return None
    videos = read_table(sources.videos, VIDEOS) if sources.videos else []
    return load(CUE_DESCRIBERS, "cues")(videos, answers, sources.cue_features, config.transcript.context_s)


def _finished(index: Path | None) -> dict[str, Row]:
    rows = read_table(index, FEATURE_INDEX) if index else []
    return {row["video"]: row for row in rows if row["status"] == "ok"}
