"""Ground truth: labels of frames and of videos, with the participant and the question of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from waver.align.packs import read_packs
from waver.io.tables import ANSWERS, read_tables
from waver.io.zarr_store import Array

UNKNOWN = -1
"""Unknown label or question."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Truth:
    """Items of one level, frames or videos, laid end to end; a video is one item at video level.

    Attributes:
        level: frame or video.
        start: video -> number of its first item.
        length: video -> number of its items.
        label: int8 [N], 0, 1 or UNKNOWN.
        participant: int64 [N], numbers in ``people``.
        question: int8 [N], from 1, or UNKNOWN.
        split: train, val or test of each item, [N].
        people: participant ids, sorted, str [S].
    """

    level: str
    start: Mapping[str, int]
    length: Mapping[str, int]
    label: Array
    participant: Array
    question: Array
    split: Array
    people: Array


def frame_truth(indexes: Sequence[Path], packs: Path, splits: Sequence[str]) -> Truth:
    """Frame labels of all packed videos of some splits; those of unlabelled videos are UNKNOWN."""
    rows: list[Row] = []
    labels: list[Array] = []
    for video in read_packs(indexes, packs, ("label",), splits):
        label = video.arrays["label"].astype(np.int8)
        rows.append(video.row)
        labels.append(label if video.row["labelled"] else np.full_like(label, UNKNOWN))
    return _truth("frame", rows, np.concatenate([*labels, np.zeros(0, np.int8)]), [int(row["frames"]) for row in rows])


def video_truth(answers: Sequence[Path], splits: Sequence[str]) -> Truth:
    """Video labels of all listed videos of some splits: as released or, where none was, whether any frame is positive.

    Videos without a pack are included; a method may predict them without one.
    """
    rows = [row for row in read_tables(answers, ANSWERS) if row["split"] in splits]
    labels = np.array([UNKNOWN if row["label"] is None else row["label"] for row in rows], np.int8)
    return _truth("video", rows, labels, [1] * len(rows))


def _truth(level: str, rows: Sequence[Row], label: Array, lengths: Sequence[int]) -> Truth:
    count = np.array(lengths, np.int64)
    starts = np.cumsum(count) - count
    names = [str(row["video"]) for row in rows]
    questions = [UNKNOWN if row["question"] is None else row["question"] for row in rows]
    people, participant = np.unique(np.array([row["participant"] for row in rows], dtype=str), return_inverse=True)
    return Truth(
        level=level,
        start=dict(zip(names, map(int, starts), strict=True)),
        length=dict(zip(names, lengths, strict=True)),
        label=label,
        participant=np.repeat(participant, count),
        question=np.repeat(np.array(questions, np.int8), count),
        split=np.repeat(np.array([row["split"] for row in rows], dtype=str), count),
        people=people,
    )
