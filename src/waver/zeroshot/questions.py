"""The questions of one job: prompts of a set, filled with what was said in a video or a window."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waver.config.zeroshot import PromptTranscriptConfig
from waver.datasets.answers import Answer
from waver.io.shard_job import store_path
from waver.io.tables import FEATURE_INDEX, read_table
from waver.shapes import FPS
from waver.zeroshot.answers import Answers
from waver.zeroshot.families import base
from waver.zeroshot.prompts.prompt_set import Prompt
from waver.zeroshot.transcripts import quoted, read_spoken, written
from waver.zeroshot.windows import Window

_QUOTING = re.compile(r"[^.\n{]*\{transcript\}[\"'”’».\s]*")
"""The part of a prompt that quotes what was said."""


@dataclass(frozen=True)
class Question:
    """One prompt of the job.

    Attributes:
        prompt: its id.
        template: with empty slots.
        answers: those that it asks for.
    """

    prompt: str
    template: Prompt
    answers: Answers

    def about(self, said: Mapping[str, str]) -> base.Prompt:
        """The prompt with its slots filled, slot -> text."""
        question = self.template.model_copy(update={"text": _QUOTING.sub("", self.template.text)})
        transcript = said.get("transcript", "") if "transcript" in self.template.slots else ""
        return base.Prompt(self.template.render(said), question.render(said), transcript.strip())


def questions_of(params: Mapping[str, Mapping[str, Any]]) -> list[Question]:
    """Questions of a job's params: id -> fields of ``Prompt``, its answers among them.

    A prompt with options is two questions of one id.
    """
    prompts = {name: Prompt(**values) for name, values in params.items()}
    return [
        Question(name, one, answers)
        for name, prompt in prompts.items()
        for one, answers in prompt.orders()
        if answers is not None
    ]


def by_answers(questions: Sequence[Question]) -> list[list[int]]:
    """Numbers of the questions that ask for the same answers, together."""
    kinds = list(dict.fromkeys(question.answers for question in questions))
    return [[number for number, one in enumerate(questions) if one.answers == kind] for kind in kinds]


class Said:
    """What was said in each video of a shard.

    Args:
        answers: with the data set's transcripts.
        speech: FEATURE_INDEX table of the shard's speech, with its stores beside it; None: the transcripts are given
            and quoted as they are.
        config: how it is quoted.
        hesitations: the recogniser was asked for them.
    """

    def __init__(
        self, answers: Sequence[Answer], speech: Path | None, config: PromptTranscriptConfig, hesitations: bool
    ) -> None:
        self._texts = {answer.video: answer.text for answer in answers}
        self._speech, self._config, self._hesitations = speech, config, hesitations
        rows = read_table(speech, FEATURE_INDEX) if speech else []
        self._spoken = {row["video"]: row for row in rows if row["status"] == "ok"}

    def of(self, video: str, window: Window | None) -> dict[str, str]:
        """Slot -> text of a video, or of a window of it; nothing where nobody speaks."""
        style, whole = self._config.style, window is None or self._config.scope == "video"
        if self._speech is None:
            return {"transcript": written(self._texts.get(video, ""), style, whole)}
        row = self._spoken.get(video)
        if row is None:
            return {"transcript": ""}
        spoken = read_spoken(store_path(self._speech.with_name("stores"), row))
        if whole or window is None:
            return {"transcript": quoted(spoken, style, self._hesitations)}
        span = window.start_frame / FPS, window.end_frame / FPS
        return {"transcript": quoted(spoken, style, self._hesitations, *span, self._config.context_s)}
