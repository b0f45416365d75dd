"""What is said in a recording, as people have it: plain text, WebVTT or SubRip."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from waver.datasets.clean_text import printable
from waver.datasets.text_files import decoded
from waver.errors import ExcludedItem, is_machine_trouble

SUFFIXES = (".vtt", ".srt", ".txt")
"""In the order of preference: with times first."""

_TIME = r"(?<![\d:])(?:(\d{1,4}):)?(\d{1,2}):(\d{2})[.,](\d{3})"
_CUE = re.compile(rf"{_TIME}\s*-->\s*{_TIME}")
_TAG = re.compile(r"<[^<>]*>")


class Said(NamedTuple):
    """A piece of speech; times in seconds, None where nobody says."""

    start_s: float | None
    end_s: float | None
    text: str


def find_transcript(folder: Path, recording: Path) -> Path | None:
    """The file of a folder that is named as a recording's file is, but for the ending; None where there is none."""
    return next((file for suffix in SUFFIXES if (file := folder / f"{recording.stem}{suffix}").is_file()), None)


def read_transcript(file: Path) -> list[Said]:
    """What a file says, in its order.

    Raises:
        ExcludedItem: it cannot be read, is of another kind, or has no line of speech with times.
    """
    if file.suffix.lower() not in SUFFIXES:
        raise ExcludedItem("its transcript is of a kind that is not read", f"save it as one of {', '.join(SUFFIXES)}")
    try:
        text = printable(decoded(file.read_bytes()))
    except OSError as error:
        if is_machine_trouble(error):
            raise
        raise ExcludedItem("its transcript cannot be read", "correct the path of the transcript") from error
    if file.suffix.lower() == ".txt":
        return [Said(None, None, " ".join(text.split()))] if text.strip() else []
    found = list(_cues(text))
    if not found and "-->" in text:
        remedy = "write its times as 00:00:01.500 --> 00:00:03.000"
        raise ExcludedItem("its transcript has no line of speech with times that can be read", remedy)
    return found


def _cues(text: str) -> Iterator[Said]:
    for block in re.split(r"\n[ \t]*\n", text):
        lines = block.strip("\n").split("\n")
        place = next((number for number, line in enumerate(lines) if _CUE.search(line)), None)
        if place is None:
            continue
        times = _CUE.search(lines[place])
        assert times is not None
        said = " ".join(html.unescape(_TAG.sub("", " ".join(lines[place + 1 :]))).split())
        if said:
            yield Said(_seconds(times.groups()[:4]), _seconds(times.groups()[4:]), said)


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, thousandths = (int(part or 0) for part in parts)
    return hours * 3600 + minutes * 60 + seconds + thousandths / 1000
