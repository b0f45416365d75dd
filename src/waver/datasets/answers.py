"""What was said in answer to which question: the part of the data set that needs no video."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from waver.datasets.questions import Questions, bah_questions, rows_with_questions
from waver.io.tables import ANSWERS

UNKNOWN = -1
"""Label that nobody stated."""


@dataclass(frozen=True)
class Answer:
    """One recording as its transcript and the record of the interview tell it.

    Attributes:
        video: video id.
        participant: participant id.
        split: train, val or test.
        question: number of the question asked, from 1; None where unknown.
        label: 1 A/H, 0 none, UNKNOWN.
        text: what was said; empty where nothing is known.
        words: number of words of ``text``.
        duration_s: length of the recording, seconds; None where unknown.
        language: ISO 639-1 code; None where unknown.
        questions: those of the data set.
    """

    video: str
    participant: str
    split: str
    question: int | None
    label: int
    text: str
    words: int
    duration_s: float | None
    language: str | None
    questions: Questions = field(default_factory=bah_questions, compare=False)


def read_answers(paths: Iterable[str | Path]) -> list[Answer]:
    """Answers of several ANSWERS tables, in their order."""
    return [_answer(row) for row in rows_with_questions(list(paths), ANSWERS)]


def _answer(row: Mapping[str, Any]) -> Answer:
    return Answer(**{**row, "label": UNKNOWN if row["label"] is None else row["label"]})
