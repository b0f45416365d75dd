"""The words of an answer and their times, from the pieces of a recogniser or from a transcript."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from waver.datasets.transcripts import continues
from waver.models.text.cue_counts import normalised

Floats = npt.NDArray[np.float32]
Times = Callable[[Sequence[str], float, float], list[tuple[float, float]] | None]
"""Texts of words or pieces of words, those that begin a word with a leading blank, and the seconds between which they
are said -> start and end of each, seconds; None where they cannot be found there."""


class Piece(NamedTuple):
    """What a recogniser calls a word: text with the blanks around it, its times, and what is known of its segment.

    Attributes:
        flagged: the text is one that recognisers are known to invent.
        measured: its times were found in the sound.
    """

    text: str
    start_s: float
    end_s: float
    probability: float = 1.0
    no_speech_prob: float = math.nan
    avg_logprob: float = math.nan
    flagged: bool = False
    measured: bool = True


NOBODY, NO_WORDS = "nobody speaks", "sound but no words"
"""Notes on a recording without words: it is silent, or it is not."""
ALIGNED, PARTLY, NOWHERE = (
    "words aligned to the sound", "words aligned to the sound, but for some chunks", "words not found in the sound",
)  # fmt: skip
"""Notes on the words of a transcript that were looked for in the sound."""
_MARGIN_S = 0.2  # recognisers place the first word of a segment a little late or early
_WITHOUT_BLANKS = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
"""Languages that are written without blanks between words; faster-whisper splits them by characters."""


@dataclass(frozen=True)
class Spoken:
    """Words of one video.

    Attributes:
        words: W words without blanks, with their punctuation.
        start_s: float32 [W], seconds after the first video frame, never falling.
        end_s: float32 [W], at least ``start_s``.
        probability: float32 [W], the recogniser's; 1 for given transcripts.
        language: ISO 639-1 code, empty where unknown.
        no_speech_prob: float32 [W], the recogniser's probability that there is no speech in the word's segment; nan
            for given transcripts.
        avg_logprob: float32 [W], mean log probability of the word's segment; nan as above.
        flagged: bool [W], the word is of a phrase that recognisers are known to invent.
        language_probability: the recogniser's; 1 where the language is given, nan where nothing was recognised.
        measured: bool [W], the word's times were found in the sound; else words share the time of their chunk by
            letters.
        notes: remarks for the index.
    """

    words: list[str]
    start_s: Floats
    end_s: Floats
    probability: Floats
    language: str
    no_speech_prob: Floats
    avg_logprob: Floats
    flagged: npt.NDArray[np.bool_]
    measured: npt.NDArray[np.bool_]
    language_probability: float = math.nan
    notes: tuple[str, ...] = ()


def spoken(pieces: Iterable[tuple[Any, ...]], language: str) -> Spoken:
    """The words of pieces in order, as arrays.

    A word is what stands between two blanks of the joined text: a piece without a leading blank (``'aime``,
    ``-control``) goes on with the word before it, from whose start it reaches to its own end; the probability is the
    mean of the pieces', weighted by their length, and the segment that of the first. Times are made non-decreasing; an
    unknown one (nan) is that of the word before.

    Args:
        pieces: of each what ``Piece`` holds: text, start_s, end_s, and, where known, the rest.
        language: ISO 639-1 code; in a language without blanks every piece with a letter is a word.
    """
    words = _joined((Piece(*piece) for piece in pieces), apart=language in _WITHOUT_BLANKS)
    numbers = np.array([word[1:6] for word in words], np.float32).reshape(-1, 5)
    known = np.isfinite(numbers[:, 0])
    numbers[~known, 0] = np.maximum.accumulate(np.where(known, numbers[:, 0], 0))[~known]
    start_s, end_s, probability = np.nan_to_num(numbers[:, :3], nan=0, posinf=0, neginf=0).T
    start_s, end_s = _in_order(np.maximum(start_s, 0), end_s)
    return Spoken(
        words=[word.text for word in words],
        start_s=start_s,
        end_s=np.maximum(end_s, start_s),
        probability=probability,
        language=language,
        no_speech_prob=numbers[:, 3],
        avg_logprob=numbers[:, 4],
        flagged=np.array([word.flagged for word in words], bool),
        measured=np.array([word.measured for word in words], bool),
    )


def end_to_end(found: Sequence[tuple[float, Spoken]]) -> Spoken:
    """The words of stretches of a recording, one after another; of one stretch from the beginning, its words.

    Language and its probability are those of the first that has words, else of the first.

    Args:
        found: where each stretch begins, seconds, and its words.
    """
    if len(found) == 1:
        return found[0][1]
    first = next((one for _, one in found if one.words), found[0][1])
    apart = [replace(one, start_s=one.start_s + np.float32(at), end_s=one.end_s + np.float32(at)) for at, one in found]
    return replace(
        first,
        words=[word for one in apart for word in one.words],
        start_s=np.concatenate([one.start_s for one in apart]),
        end_s=np.concatenate([one.end_s for one in apart]),
        probability=np.concatenate([one.probability for one in apart]),
        no_speech_prob=np.concatenate([one.no_speech_prob for one in apart]),
        avg_logprob=np.concatenate([one.avg_logprob for one in apart]),
        flagged=np.concatenate([one.flagged for one in apart]),
        measured=np.concatenate([one.measured for one in apart]),
        notes=tuple(dict.fromkeys(note for one in apart for note in one.notes)),
    )


def _in_order(start_s: Floats, end_s: Floats) -> tuple[Floats, Floats]:
    """Starts that never fall: no earlier than those before, or no later than those after, if that moves far less."""
    raised = np.maximum.accumulate(start_s)
    lowered = np.minimum.accumulate(start_s[::-1])[::-1]
    by_raising, by_lowering = np.sum(raised - start_s), np.sum(start_s - lowered)
    if by_raising <= 2 * by_lowering:
        return raised, end_s
    return lowered, lowered + np.maximum(end_s - start_s, 0)


def _joined(pieces: Iterable[Piece], apart: bool) -> list[Piece]:
    words: list[Piece] = []
    goes_on = False  # no blank since the last word
    for piece in pieces:
        text = piece.text
        goes_on = goes_on and not text[:1].isspace() and not (apart and any(map(str.isalnum, text)))
        for part, start_s, end_s in shared_by_letters(text, piece.start_s, piece.end_s):
            own = piece._replace(text=part, start_s=start_s, end_s=end_s)
            if goes_on:
                words[-1] = _with(words[-1], own)
            else:
                words.append(own)
            goes_on = False
        if text:
            goes_on = bool(words) and not text[-1].isspace()
    return words


def _with(word: Piece, piece: Piece) -> Piece:
    share = len(piece.text) / (len(word.text) + len(piece.text))
    return word._replace(
        text=word.text + piece.text,
        end_s=piece.end_s,
        probability=word.probability + share * (piece.probability - word.probability),
        flagged=word.flagged or piece.flagged,
        measured=word.measured and piece.measured,
    )


def shared_by_letters(text: str, start_s: float, end_s: float) -> list[tuple[str, float, float]]:
    """Words of a text, each with a share of its time in proportion to its letters."""
    parts = text.split()
    if len(parts) == 1:
        return [(parts[0], start_s, end_s)]
    letters = [max(sum(map(str.isalnum, part)), 1) for part in parts]
    edges = start_s + (end_s - start_s) * np.cumsum([0, *letters]) / max(sum(letters), 1)
    return [(part, float(edges[i]), float(edges[i + 1])) for i, part in enumerate(parts)]


def with_border(before: str, first: str) -> str:
    """The first piece of a segment, with a leading blank where it begins a new word.

    Recognisers rarely split a word between two segments, and often leave out the blank that begins one.

    Args:
        before: the piece before; empty where there is none.
        first: the first piece of the segment.
    """
    mark, last = first[:1], before[-1:]
    if not any(map(str.isalnum, first)):
        goes_on = True  # punctuation
    elif mark.isalpha():
        goes_on = (last.isalpha() and mark.islower()) or continues(normalised(before), normalised(first))
    else:
        goes_on = last.isalnum() and continues(normalised(before), normalised(first))
    return first if goes_on else f" {first}"


# aligned --------------------------------------------------------------------------------------------
def retimed(groups: Sequence[Sequence[Piece]], times: Times) -> tuple[list[Piece], int]:
    """Pieces with the times that forced alignment finds, and the number of groups in which it finds none.

    A group is looked for between its first and its last time and up to ``_MARGIN_S`` beyond, as far as its neighbours
    leave that free.

    Args:
        groups: pieces of a segment or chunk each, none empty, in order; where no times are found, they stay.
        times: finds them.
    """
    pieces: list[Piece] = []
    lost = 0
    ends_s = [-math.inf, *(group[-1].end_s for group in groups)]
    starts_s = [*(group[0].start_s for group in groups), math.inf]
    for number, group in enumerate(groups):
        first_s, last_s = group[0].start_s, group[-1].end_s
        low_s = min(max(first_s - _MARGIN_S, ends_s[number]), first_s)
        high_s = max(min(last_s + _MARGIN_S, starts_s[number + 1]), last_s)
        found = times([piece.text for piece in group], low_s, high_s)
        lost += found is None
        pieces += (
            group
            if found is None
            else [
                piece._replace(start_s=start_s, end_s=end_s, measured=True)
                for piece, (start_s, end_s) in zip(group, found, strict=True)
            ]
        )
    return pieces, lost


# given ----------------------------------------------------------------------------------------------
def spread_chunks(chunks: Sequence[dict[str, Any]], duration_s: float, times: Times | None = None) -> Spoken:
    """Words of timed chunks, where forced alignment finds them in the sound.

    Elsewhere, and without it, each gets a share of its chunk's time in proportion to its letters. Chunks without
    times, one after another, share the time between their timed neighbours; if no chunk has times, that is the whole
    video.

    Args:
        chunks: rows of TRANSCRIPTS in order.
        duration_s: length of the video.
        times: finds words in the sound; None: nothing does.
    """
    groups: list[list[Piece]] = []
    before = ""
    for text, start_s, end_s, measured in _spans(chunks, duration_s):
        group: list[Piece] = []
        for number, (part, from_s, to_s) in enumerate(shared_by_letters(text, start_s, end_s)):
            split = number == 0 and before and continues(normalised(before), normalised(part))
            before = part if split else f" {part}"
            group.append(Piece(before, from_s, to_s, measured=measured))
        groups += [group] if group else []
    pieces, lost = retimed(groups, times) if times else ([piece for group in groups for piece in group], 0)
    note = ALIGNED if not lost else NOWHERE if lost == len(groups) else PARTLY
    return replace(spoken(pieces, language_of(chunks)), notes=(note,) if times and groups else ())


def language_of(chunks: Sequence[dict[str, Any]]) -> str:
    """The language of most chunks; empty where none has one."""
    languages = [chunk["language"] for chunk in chunks if chunk["language"]]
    return Counter(languages).most_common(1)[0][0] if languages else ""


def _of_one_word(chunk: dict[str, Any]) -> bool:
    """Whether the times of a chunk are those of its word."""
    return len(chunk["text"].split()) == 1 and chunk["start_s"] is not None and chunk["end_s"] is not None


def _spans(chunks: Sequence[dict[str, Any]], duration_s: float) -> list[tuple[str, float, float, bool]]:
    """(text, start_s, end_s, of one word) with what times are missing filled in; untimed neighbours become one."""
    spans: list[list[Any]] = []
    for chunk in chunks:
        untimed = chunk["start_s"] is None
        if untimed and spans and spans[-1][2] is None:
            spans[-1][0] += " " + chunk["text"]
            spans[-1][2] = chunk["end_s"]
        else:
            spans.append([chunk["text"], chunk["start_s"], chunk["end_s"], _of_one_word(chunk)])
    filled: list[tuple[str, float, float, bool]] = []
    following_s = [duration_s]  # of each span, from the last: where the next one with a time starts
    for _, start_s, _, _ in reversed(spans[1:]):
        following_s.append(following_s[-1] if start_s is None else start_s)
    for (text, start_s, end_s, one), next_s in zip(spans, reversed(following_s), strict=False):
        before_s = filled[-1][2] if filled else 0.0
        start_s = before_s if start_s is None else start_s
        end_s = next_s if end_s is None else end_s
        filled.append((text, start_s, max(end_s, start_s), one))
    return filled
