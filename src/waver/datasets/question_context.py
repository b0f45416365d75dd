"""What is known of a recording without looking at anybody: the question asked and the length.

The content-free control is fitted on these, and a model that is given them as context (the letter Q)
must do better than it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from waver.datasets.questions import bah_questions
from waver.shapes import FPS

Row = Mapping[str, Any]
Array = npt.NDArray[np.float64]

FRAME_SIZE = 19
"""Features of a frame's context in a data set of seven questions."""


def question_one_hot(rows: Sequence[Row]) -> Array:
    """Question asked, as float64 [V, Q]; zeros where unknown.

    Q is the number of questions of the data set, which the rows carry under ``questions``
    (``waver.datasets.questions``): the same for all splits, shards and folds. Rows without it are of BAH.
    """
    questions = rows[0].get("questions") if rows else None
    numbers = np.arange(1, (questions or bah_questions()).count + 1)
    question = np.array([row["question"] or 0 for row in rows], np.int64)
    one_hot: Array = (question[:, None] == numbers).astype(np.float64)
    return one_hot


def video_context(rows: Sequence[Row], timed: bool) -> Array:
    """Question one-hot, log(1 + words) and, if ``timed``, log duration; float64 [V, Q + 1 or 2].

    Args:
        rows: with ``question``, ``words`` and, if ``timed``, ``duration_s``.
        timed: the duration of every recording is known.
    """
    columns = [question_one_hot(rows), np.log1p(np.array([row["words"] for row in rows], np.float64))]
    if timed:
        duration_s = np.array([row["duration_s"] for row in rows], np.float64)
        columns.append(np.log(np.maximum(duration_s, 1 / FPS)))
    return np.column_stack(columns)


def frame_context(rows: Sequence[Row]) -> Array:
    """The video's context and where in it each frame lies; float64 [N, Q + 12].

    Beginnings and ends of answers differ from their middle; a control that is given the position as it
    is, without these bends, leaves them to be found by models of the person.

    Args:
        rows: of PACK_INDEX; frames of the videos are laid end to end.
    """
    frames = np.array([row["frames"] for row in rows], np.int64)
    first = np.repeat(np.cumsum(frames) - frames, frames)
    before_s = (np.arange(len(first)) - first) / FPS
    after_s = np.repeat(frames, frames) / FPS - before_s
    place = before_s / np.maximum(before_s + after_s - 1 / FPS, 1 / FPS)
    bends = [place < 0.1, place > 0.9, np.abs(place - 0.5), place**2, before_s < 2, after_s < 2]
    logs = [np.log(before_s + 0.5), np.log(after_s + 0.5)]
    video = np.repeat(video_context(rows, timed=True), frames, axis=0)
    return np.column_stack([video, place, before_s, *bends, *logs])
