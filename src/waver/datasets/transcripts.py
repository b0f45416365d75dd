"""Transcripts: Whisper's chunks as released, their times mended, or the plain text of the split files."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from waver.datasets.languages import ISO_639_1

Span = tuple[float | None, float | None]
"""Start and end, seconds; None where not known."""

_WINDOW_S = 30.0
"""Whisper's window; the time of a window whose last chunk has no end."""
MOST_S = 1_000_000.0
"""A time beyond is a mistake."""
_OVERLAP_S = 1.0
"""Chunks of one window overlap by less; a chunk that starts earlier belongs to a new window."""
_LANGUAGES = {"english": "en", "french": "fr", "spanish": "es", "german": "de", "italian": "it", "portuguese": "pt"}
_COMMON = {
    code: frozenset(words.split())
    for code, words in {
        "en": "the and to i of a it that is in my for was but have with so not on be this you",
        "fr": "le la les de des du un une et je que qui est dans mon ma pour pas mais en ce c ai j",
    }.items()
}
"""The commonest words of the languages that BAH is spoken in."""
_ELIDED = re.compile(r"(?:^|[^\w'])(?:[b-df-hj-np-tv-z]|\w*qu|aujourd|entr)'?$")
"""The end of a text after which a French word goes on behind its apostrophe: j', qu', lorsqu', aujourd'."""
_CONTRACTED = re.compile(r"'(?:s|t|re|ve|ll|d|m|all|am|clock)(?!\w)")
_HYPHENATED = re.compile(r"\w$")


@dataclass(frozen=True)
class Chunk:
    """A piece of speech.

    Attributes:
        start_s: seconds after the start of the recording; None where not known.
        end_s: as start_s, not earlier.
        text: words, without space around them.
        language: ISO 639-1 code; None where not known.
    """

    start_s: float | None
    end_s: float | None
    text: str
    language: str | None


def plain_transcript(text: str) -> list[Chunk]:
    """One chunk without times; none where the text is empty."""
    words = text.strip()
    return [Chunk(None, None, words, None)] if words else []


def read_transcript(record: Any, duration_s: float | None) -> list[Chunk]:
    """Chunks of a released transcript on one clock.

    Whisper's times restart at 0 with each of its windows of about 30 s, and the last end of a window
    may be missing. Windows follow each other where the one before ended.

    Args:
        record: ``{"chunks": [{"language", "text", "timestamp": (start, end)}, ...], "text": ...}``.
        duration_s: length of the video, which closes an open end and bounds all times; None if unknown.

    A chunk that is no table of fields is left out; times that are none are not known.

    Raises:
        TypeError: the record has another form.
    """
    if isinstance(record, str):
        return plain_transcript(record)
    if not isinstance(record, Mapping):
        raise TypeError("the transcript is no table")
    listed = record.get("chunks") or ()
    if not isinstance(listed, list | tuple):
        raise TypeError("the chunks are no list")
    given = [chunk for chunk in listed if isinstance(chunk, Mapping) and _words(chunk)]
    if not given:
        return plain_transcript(_words(record))
    times = accumulate_times([_timestamp(chunk) for chunk in given], duration_s)
    return [
        Chunk(start, end, _words(chunk), language_code(chunk.get("language")))
        for chunk, (start, end) in zip(given, times, strict=True)
    ]


def _words(record: Mapping[str, Any]) -> str:
    text = record.get("text")
    return str(text).strip() if isinstance(text, str | int | float) and not isinstance(text, bool) else ""


def _timestamp(chunk: Mapping[str, Any]) -> Span:
    """Start and end of a chunk; both None where they are no times."""
    given = chunk.get("timestamp")
    if not isinstance(given, list | tuple) or len(given) != 2:
        return None, None
    times = [None if value is None else _seconds(value) for value in given]
    return (None, None) if any(time is not None and not 0 <= time <= MOST_S for time in times) else (times[0], times[1])


def _seconds(value: Any) -> float:
    """Seconds, nan where the value is no number."""
    try:
        return float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return math.nan


def accumulate_times(times: Sequence[Span], duration_s: float | None) -> list[Span]:
    """Times that restart with each window, put on the clock of the recording.

    Args:
        times: (start_s, end_s) as released.
        duration_s: length of the recording; None if unknown.

    Returns:
        (start_s, end_s), starts never falling; a time that nothing tells stays None.
    """
    mended: list[Span] = []
    window_s, last_start_s, last_end_s = 0.0, 0.0, 0.0
    for number, (start_s, end_s) in enumerate(times):
        if start_s is None and end_s is None:
            mended.append((None, None))
            continue
        start_s = last_end_s if start_s is None else start_s
        if start_s < last_end_s - _OVERLAP_S:
            window_s, last_start_s, last_end_s = window_s + last_end_s, 0.0, 0.0
        start_s = max(start_s, last_start_s)
        if end_s is None or end_s < start_s:
            end_s = _missing_end(start_s, times[number + 1] if number + 1 < len(times) else None)
        mended.append((window_s + start_s, duration_s if end_s is None else window_s + end_s))
        last_start_s, last_end_s = start_s, start_s if end_s is None else end_s
    return [(_at_most(start_s, duration_s), _at_most(end_s, duration_s)) for start_s, end_s in mended]


def _missing_end(start_s: float, later: Span | None) -> float | None:
    """Where the next chunk starts, or the end of the window; None after the last chunk of all."""
    if later is None:
        return None
    next_start_s = later[0]
    return next_start_s if next_start_s is not None and next_start_s > start_s else max(start_s, _WINDOW_S)


def _at_most(value_s: float | None, bound_s: float | None) -> float | None:
    return value_s if value_s is None or bound_s is None else min(value_s, bound_s)


def language_code(name: Any) -> str | None:
    """ISO 639-1 code of a language given by its English name or by its code; None where not known."""
    text = name.strip().lower() if isinstance(name, str) else ""
    return _LANGUAGES.get(text, text if text in ISO_639_1 else None)


def main_language(chunks: list[Chunk]) -> str | None:
    """Language in which most characters are spoken; None where no chunk tells one."""
    letters: dict[str, int] = {}
    for chunk in chunks:
        if chunk.language:
            letters[chunk.language] = letters.get(chunk.language, 0) + len(chunk.text)
    return max(sorted(letters), key=lambda code: letters[code], default=None)


def continues(before: str, piece: str) -> bool:
    """Whether a piece goes on with the word before it, as ``-être`` after ``peut`` and ``'aime`` after ``j`` do.

    For pieces whose blanks are lost. Quotation marks, dashes and words that begin with an apostrophe ('cause) stay
    apart.

    Args:
        before: the text before the piece, in lower case with straight apostrophes.
        piece: as before; without blanks.
    """
    mark, letter = piece[:1], piece[1:2]
    if mark == "-" and letter.isalnum():
        return bool(_HYPHENATED.search(before))
    if mark == "'":
        elided = _ELIDED.search(before) and not before.endswith("'") and (not letter or letter.isalpha())
        return bool(elided or (_CONTRACTED.match(piece) and before[-1:].isalpha()))
    return mark.isalpha() and before.endswith("'") and bool(_ELIDED.search(before))


def guessed_language(text: str) -> str | None:
    """``en`` or ``fr`` by which language's commonest words are more; None where that tells nothing.

    Releases name the language of a chunk; public split files do not.
    """
    words = re.findall(r"[^\W\d_]+", text.lower())
    english, french = (sum(word in common for word in words) for common in _COMMON.values())
    return None if english == french else "en" if english > french else "fr"
