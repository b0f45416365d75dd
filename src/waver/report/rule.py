"""The plainest predictor that knows what was asked: A/H after two questions, none after the others.

Nothing is fitted: the two questions are those with the largest share of A/H in the train split, in a
cross-validation in the folds that are not held out. What it scores can be had by reading a file name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from waver import metrics
from waver.data.folds import Folding, folds_of
from waver.evaluation.bootstrap import interval, resamples
from waver.report.inputs import Material, Row
from waver.store.arrays import Array

QUESTIONS = 2
_RESAMPLES = 1000


@dataclass(frozen=True)
class Ruled:
    """AVGF1 of the rule on one sample, as the scores table has it of the methods.

    Attributes:
        level: frame, video or participant (mean over those with A/H).
        split: cv, val or test.
        questions: those after which A/H is said; of the train split, also for cv.
        value, low, high: the score and its 95 % interval over participants.
        participants: people scored.
    """

    level: str
    split: str
    questions: tuple[int, ...]
    value: float
    low: float
    high: float
    participants: int


@dataclass(frozen=True)
class _Part:
    """One video: who, what was asked, frames or videos with A/H and in all."""

    participant: str
    split: str
    question: int
    positive: int
    size: int


def ruled(material: Material, level: str, split: str) -> Ruled | None:
    """The rule's AVGF1; None where there is nothing to choose the questions from, or to score.

    Args:
        material: frame counts of the packs' indexes, video labels of the answers.
        level: frame, video or participant.
        split: cv, val or test.
    """
    parts = _parts(material, level)
    train = [part for part in parts if part.split == "train"]
    if not any(part.positive for part in train):
        return None
    said = _cross(parts, material.folds, material.folding) if split == "cv" else _held(parts, split, lambda: top(train))
    people = sorted({part.participant for part, _ in said})
    counts = np.zeros((len(people), 4))
    for part, positive in said:
        right, wrong = part.positive, part.size - part.positive
        counts[people.index(part.participant)] += (right, wrong, 0, 0) if positive else (0, 0, right, wrong)
    if level == "participant":
        counts = counts[counts[:, 0] + counts[:, 2] > 0]
    if not len(counts):
        return None
    value, low, high = interval(_values(counts, level, split))
    return Ruled(level, split, top(train), value, low, high, len(counts))


def _values(counts: Array, level: str, split: str) -> Array:
    weights = resamples(len(counts), _RESAMPLES, "two questions", level, split)
    values: Array = metrics.avgf1_of(weights @ counts)
    if level == "participant":
        values = weights @ metrics.avgf1_of(counts) / len(counts)
    return values


def top(parts: Sequence[_Part]) -> tuple[int, ...]:
    """The questions with the largest shares of A/H, ascending."""
    shares = {}
    for question in {part.question for part in parts}:
        asked = [part for part in parts if part.question == question]
        shares[question] = sum(part.positive for part in asked) / max(1, sum(part.size for part in asked))
    return tuple(sorted(sorted(shares, key=lambda question: (-shares[question], question))[:QUESTIONS]))


def _held(parts: Sequence[_Part], split: str, chosen: Callable[[], tuple[int, ...]]) -> list[tuple[_Part, bool]]:
    questions = chosen()
    return [(part, part.question in questions) for part in parts if part.split == split]


def _cross(parts: Sequence[_Part], count: int, folding: Folding) -> list[tuple[_Part, bool]]:
    known = [part for part in parts if part.split in ("train", "val")]
    people = {part.participant for part in known}
    if count < 2 or len(people) < count:
        return []
    fold = folds_of(people, count, folding)
    said = []
    for number in range(count):
        questions = top([part for part in known if fold[part.participant] != number])
        said += [(part, part.question in questions) for part in known if fold[part.participant] == number]
    return said


def _parts(material: Material, level: str) -> list[_Part]:
    if level == "video":
        rows = [row for row in material.answers if row["label"] is not None]
        return [_part(row, row["label"], 1) for row in rows if row["question"] is not None]
    rows = [row for row in material.used if row["labelled"] and row["question"] is not None]
    return [_part(row, row["positive_frames"], row["frames"]) for row in rows]


def _part(row: Row, positive: int, size: int) -> _Part:
    return _Part(row["participant"], row["split"], row["question"], positive, size)
