"""Sentences of a text, and the word of each frame; no network is loaded here."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from waver.shapes import FPS

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int32]
Words = Sequence[str]

_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]]*$")
_MOST_WORDS, _RUN_WORDS = 40, 25
_LEAST_OVERLAP = 1e-3  # frames; smaller values are rounding errors of float32 seconds


def sentences(words: Words) -> list[tuple[int, Words]]:
    """Sentences of a text as (number of the first word, words); a word's end punctuation ends one."""
    ends = [i + 1 for i, word in enumerate(words) if _SENTENCE_END.search(word)]
    if words and (not ends or ends[-1] != len(words)):
        ends.append(len(words))
    return [(start, words[start:end]) for start, end in zip([0, *ends], ends, strict=False)]


def run_length(words: int) -> int:
    """Words per piece of a sentence: all, or 25 if it has more than 40, as in transcripts without full stops."""
    return words if words <= _MOST_WORDS else _RUN_WORDS


def timed_words(start_s: Floats, end_s: Floats, frames: int) -> Integers:
    """Word of each frame: the one whose [start_s, end_s) covers most of the frame.

    A word that covers most of no frame has its nearest one, whatever its times: words of no duration, in the same
    frame as others, or beyond the end. Where it shares that frame, see ``shared_frames``.

    Args:
        start_s: [W] seconds; nan where unknown: the word follows the one before.
        end_s: [W] seconds.
        frames: T.

    Returns:
        int32 [T]; -1 where nobody speaks. If words cover a frame equally, the first is taken; of words that share
        their only frame, the first.
    """
    word_of_frame = _by_overlap(*_in_frames(start_s, end_s, frames), frames)
    for word, (frame, _) in shared_frames(start_s, end_s, frames).items():
        word_of_frame[frame] = word
    return word_of_frame


def shared_frames(start_s: Floats, end_s: Floats, frames: int) -> dict[int, tuple[int, list[int]]]:
    """Frames of the words that cover most of none: the first such word of a frame -> frame, all words that share it.

    The words that share a frame are those that have no other, and the one that covers most of it.

    Args:
        start_s, end_s, frames: as of ``timed_words``.
    """
    start, end = _in_frames(start_s, end_s, frames)
    word_of_frame = _by_overlap(start, end, frames)
    count = np.bincount(word_of_frame[word_of_frame >= 0], minlength=len(start))
    nearest = np.clip(np.floor((start + end) / 2), 0, frames - 1).astype(np.int64)
    sharing: dict[int, list[int]] = {}
    for word in np.flatnonzero(count == 0):
        sharing.setdefault(int(nearest[word]), []).append(int(word))
    found = {}
    for frame, words in sharing.items():
        owner = int(word_of_frame[frame])
        if owner >= 0 and count[owner] == 1:  # its only frame
            words = sorted([owner, *words])
            found[words[0]] = frame, words
        else:
            found[words[0]] = frame, sorted([*([owner] if owner >= 0 else []), *words])
    return found


def _in_frames(start_s: Floats, end_s: Floats, frames: int) -> tuple[Doubles, Doubles]:
    """Times in frames, within the video and known: an unknown start is the latest time before."""
    start, end = (np.asarray(times, np.float64) * FPS for times in (start_s, end_s))
    latest = np.fmax.accumulate(np.append(0.0, np.fmax(start, end)))[:-1] if len(start) else start
    start = np.clip(np.where(np.isnan(start), latest, start), 0, frames)
    end = np.clip(np.where(np.isnan(end), start, end), 0, frames)
    return start, np.maximum(end, start)


def _by_overlap(start: Doubles, end: Doubles, frames: int) -> Integers:
    first = np.floor(start).astype(np.int64)
    count = np.maximum(np.ceil(end).astype(np.int64) - first, 0)
    word = np.repeat(np.arange(len(start)), count)
    frame = np.arange(count.sum()) + np.repeat(first - np.cumsum(count) + count, count)
    overlap = np.minimum(end[word], frame + 1) - np.maximum(start[word], frame)
    # the last assignment to a frame counts: least overlap first, and among equals the latest word first
    order = np.lexsort((-word, overlap))
    order = order[overlap[order] > _LEAST_OVERLAP]
    word_of_frame = np.full(frames, -1, np.int32)
    word_of_frame[frame[order]] = word[order]
    return word_of_frame
