"""What is known of a recording without looking at anybody: the question asked and the length.

The content-free control is fitted on these, and a model that is given them as context (the letter Q)
must do better than it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from waver.shapes import FPS

Row = Mapping[str, Any]
Array = npt.NDArray[np.float64]

_QUESTIONS = np.arange(1, 8)
FRAME_SIZE = 19
"""Features of a frame's context."""


def question_one_hot(rows: Sequence[Row]) -> Array:
    """Question asked, 1 to 7, as float64 [V, 7]; zeros where unknown."""
    question = np.array([row["question"] or 0 for row in rows], np.int64)
    one_hot: Array = (question[:, None] == _QUESTIONS).astype(np.float64)
    return one_hot


def video_context(rows: Sequence[Row], timed: bool) -> Array:
    """Question one-hot, log(1 + words) and, if ``timed``, log duration; float64 [V, 8 or 9].

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
    """The video's context and where in it each frame lies; float64 [N, FRAME_SIZE].

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
