"""What is said, by its words alone: sentences, and the word of each frame; no network is loaded here."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from waver.shapes import FPS

Floats = npt.NDArray[np.float32]
Words = Sequence[str]

_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]]*$")
_MOST_WORDS, _RUN_WORDS = 40, 25
_LEAST_OVERLAP = 1e-3  # frames; below it lies the rounding of float32 seconds


def sentences(words: Words) -> list[tuple[int, Words]]:
    """Sentences of a text as (number of the first word, words); a word's end punctuation ends one."""
    ends = [i + 1 for i, word in enumerate(words) if _SENTENCE_END.search(word)]
    if words and (not ends or ends[-1] != len(words)):
        ends.append(len(words))
    return [(start, words[start:end]) for start, end in zip([0, *ends], ends, strict=False)]


def run_length(words: int) -> int:
    """Words of a sentence that stay together: all, or 25 of more than 40, as transcripts have without full stops."""
    return words if words <= _MOST_WORDS else _RUN_WORDS


def timed_words(start_s: Floats, end_s: Floats, frames: int) -> npt.NDArray[np.int32]:
    """Word of each frame: the one whose [start_s, end_s) covers most of the frame.

    Args:
        start_s: [W] seconds.
        end_s: [W] seconds.
        frames: T.

    Returns:
        int32 [T]; -1 where nobody speaks. Of words that cover a frame equally the first is taken.
    """
    start, end = (np.clip(np.asarray(t, np.float64) * FPS, 0, frames) for t in (start_s, end_s))
    first = np.floor(start).astype(np.int64)
    count = np.maximum(np.ceil(end).astype(np.int64) - first, 0)
    word = np.repeat(np.arange(len(start)), count)
    frame = np.arange(count.sum()) + np.repeat(first - np.cumsum(count) + count, count)
    overlap = np.minimum(end[word], frame + 1) - np.maximum(start[word], frame)
    # the last writer of a frame wins: least overlap first, and of equals the latest word first
    order = np.lexsort((-word, overlap))
    order = order[overlap[order] > _LEAST_OVERLAP]
    word_of_frame = np.full(frames, -1, np.int32)
    word_of_frame[frame[order]] = word[order]
    return word_of_frame
