"""What was seen and heard of each video of a shard, as the slots ``cues`` and ``timeline`` of prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from waver.datasets.answers import Answer
from waver.io.shard_job import store_path
from waver.io.tables import FEATURE_INDEX, read_table
from waver.shapes import FPS
from waver.zeroshot.cue_signals import AnswerCues, Baseline, answer_cues, baseline
from waver.zeroshot.textualise import as_sentences, as_timeline, detected_cues, said_cues
from waver.zeroshot.windows import Window

Row = Mapping[str, Any]


class DescribedCues:
    """Cues of a shard's videos in words; those of one participant are in memory at a time.

    Args:
        videos: rows of the VIDEOS table of the shard, in which a participant has all of their videos; none where there
            are no recordings.
        answers: the shard's, whose words alone are read where there are no recordings.
        indexes: feature -> FEATURE_INDEX table of the shard, with its stores beside it.
        context_s: seconds around a window whose cues are told too.
    """

    def __init__(
        self, videos: Sequence[Row], answers: Sequence[Answer], indexes: Mapping[str, Path], context_s: float
    ) -> None:
        self._videos, self._context_s = videos, context_s
        self._answers = {answer.video: answer for answer in answers}
        self._stores = {name: path.with_name("stores") for name, path in indexes.items()}
        self._there = {
            name: {row["video"] for row in read_table(path, FEATURE_INDEX) if row["status"] == "ok"}
            for name, path in indexes.items()
        }
        self._person = ""
        self._known: dict[str, AnswerCues] = {}
        self._usual = Baseline({}, {})

    def of(self, video: str, window: Window | None) -> dict[str, str]:
        """Slot -> text of a video, or of a window of it; there is no timeline without a recording."""
        row = next((row for row in self._videos if row["video"] == video), None)
        if row is None:
            answer = self._answers[video]
            return {"cues": as_sentences(said_cues(answer.text, answer.language))}
        self._read(row["participant"])
        answered = self._known[video]
        found, from_s, to_s = detected_cues(answered, self._usual), 0.0, answered.frames / FPS
        if window is not None:
            from_s = max(window.start_frame / FPS - self._context_s, from_s)
            to_s = min(window.end_frame / FPS + self._context_s, to_s)
            found = [one for one in found if one.start_s < to_s and one.end_s > from_s]
        return {"cues": as_sentences(found), "timeline": as_timeline(found, answered.spoken, from_s, to_s)}

    def _read(self, person: str) -> None:
        """The videos of a participant, and their baseline."""
        if person == self._person:
            return
        rows = [row for row in self._videos if row["participant"] == person]
        self._known = {row["video"]: answer_cues(self._paths(row), round(row["duration_s"] * FPS)) for row in rows}
        self._usual, self._person = baseline(list(self._known.values())), person

    def _paths(self, row: Row) -> dict[str, Path]:
        return {
            name: store_path(stores, dict(row))
            for name, stores in self._stores.items()
            if row["video"] in self._there[name]
        }
