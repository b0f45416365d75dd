"""Numbers, labels and times of the annotation, held to what a video can have."""

from __future__ import annotations

import math
import re
from typing import Any

from waver.datasets.codebook import MOST_CERTAINTY
from waver.errors import ExcludedItem

Interval = tuple[int, int]
MEND = "mend the video's entry, or copy the file again from the release"
MOST_FRAMES = 1_000_000
"""Frames of a video: eleven hours at 24 fps; a number beyond is a mistake."""
_MOST_S = 100_000.0
_DIGITS = re.compile(r"\s*-?[0-9]{1,40}\s*")
_NUMBER = re.compile(r"\s*[-+.]?[0-9].*", re.DOTALL)
_TIME = re.compile(r"\s*(?:[0-9]{1,9}:){0,2}[0-9]{1,9}(?:[.,][0-9]{0,12})?\s*")
_MOST_CHARACTERS = 40
"""Characters of a number or time that is written as text."""


def number_in(value: Any, low: int, high: int) -> int:
    """A whole number from a number or from text; nothing is rounded to one.

    Raises:
        ValueError: it is none, or not between ``low`` and ``high``, both included.
    """
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise ValueError("no whole number")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("no number")
    number = value if isinstance(value, float) else int(value)
    if not low <= number <= high or number != int(number):
        raise ValueError(f"no whole number from {low} to {high}")
    return int(number)


def video_label(value: Any) -> int | None:
    """0 or 1 from a released label, None from nothing.

    Raises:
        ExcludedItem: it is neither.
    """
    if value is None or value == "":
        return None
    try:
        return number_in(int(value) if isinstance(value, bool) else value, 0, 1)
    except ValueError as error:
        raise ExcludedItem("its label is neither 0 nor 1", MEND) from error


def interval_in_frames(first: Any, last: Any) -> Interval:
    """First frame, and the frame after the last.

    Raises:
        ExcludedItem: they are no frames of a video.
    """
    # taken as inclusive, as in the published segment tables; frame labels, where there are any, decide
    try:
        start, end = (number_in(value, 0, MOST_FRAMES) for value in (first, last))
    except ValueError as error:
        raise ExcludedItem(f"an interval of its annotation has no frames from 0 to {MOST_FRAMES}", MEND) from error
    if end < start:
        raise ExcludedItem("an interval of its annotation ends before it starts", MEND)
    return start, end + 1


def interval_in_seconds(start: Any, end: Any) -> tuple[float, float]:
    """Start and end in seconds.

    Raises:
        ExcludedItem: they are no times of a video.
    """
    start_s, end_s = _one_time(start), _one_time(end)
    if end_s < start_s:
        raise ExcludedItem("an interval of its annotation ends before it starts", MEND)
    return start_s, end_s


def _one_time(value: Any) -> float:
    """Seconds from a number or from ``HH:MM:SS.mmm``."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        total = float(value) if abs(value) < _MOST_S else math.inf
    elif isinstance(value, str) and len(value) <= _MOST_CHARACTERS and _TIME.fullmatch(value):
        parts = [float(part.replace(",", ".")) for part in value.split(":")]
        if any(part >= 60 for part in parts[1:]):
            raise ExcludedItem("an interval of its annotation has no times", MEND)
        total = sum(part * 60**power for power, part in enumerate(reversed(parts)))
    else:
        raise ExcludedItem("an interval of its annotation has no times", MEND)
    if not 0 <= total <= _MOST_S:
        raise ExcludedItem(f"an interval of its annotation has no times from 0 to {_MOST_S:.0f} s", MEND)
    return total


def certainty(value: Any) -> int | None:
    """An annotator's certainty; None where there is none, or a word.

    Raises:
        ExcludedItem: it is no number that the table holds.
    """
    if value is None or (isinstance(value, str) and not _NUMBER.fullmatch(value)):
        return None
    try:
        return number_in(value, 0, MOST_CERTAINTY)
    except ValueError as error:
        raise ExcludedItem(
            f"a certainty of its annotation is no whole number from 0 to {MOST_CERTAINTY}", MEND
        ) from error


def cue(value: Any) -> Any:
    """An annotator's cue, as released: texts, or a table or list of them.

    Raises:
        ExcludedItem: it is, or holds, anything else.
    """
    parts = [value]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            parts += part.values()
        elif isinstance(part, list | tuple):
            parts += part
        elif not (part is None or isinstance(part, int | str) or (isinstance(part, float) and math.isfinite(part))):
            raise ExcludedItem("a cue of its annotation is no text", MEND)
    return value


def transcript_record(value: Any) -> Any:
    """A transcript's record, as released.

    Raises:
        ExcludedItem: it is none.
    """
    chunks = value.get("chunks") if isinstance(value, dict) else None
    records = [value, *chunks] if isinstance(chunks, list | tuple) else [value, *([] if chunks is None else [chunks])]
    if value is None or isinstance(value, str) or all(_is_spoken(record) for record in records):
        return value
    raise ExcludedItem("its transcript is no table with a list of chunks, each with its text", MEND)


def _is_spoken(record: Any) -> bool:
    text = record.get("text") if isinstance(record, dict) else ()
    return text is None or (isinstance(text, int | float | str) and not isinstance(text, bool))
