"""What a user says of each recording of an output folder, kept from call to call: its id, its file, who is seen.

A recording's id is a number. The names of the user's files, which may hold the name of a person or of a machine, stand
in ``private/recordings.csv`` of the output folder alone; links under the ids lead to the files.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from waver.errors import WaverError
from waver.io.atomic import atomic_write

MAPPING = "private/recordings.csv"
"""File of the output folder that says which file a recording is; for its owner's eyes."""
LAST = "private/last_recording.txt"
"""File of the output folder with the greatest number that an id had; a forgotten recording's is not given again."""
LINKS = "recordings"
"""Folder of the output folder with a link to each recording."""
_ID = re.compile(r"recording_[0-9]{3,9}")
ANY_ID = re.compile(r"[^/\\\0]+")
"""Ids of recordings of a data set, which ``waver export`` writes."""
SAID = ("participant", "question", "language", "transcript")
"""What is said of a recording."""
_MAPPED = ("recording", "file", *SAID)


@dataclass(frozen=True)
class Given:
    """A recording as the user names it.

    Attributes:
        file: its absolute path.
        participant: id of who is seen; empty where nobody says, and it is nobody else's.
        question: number of the question asked; None where unknown.
        language: ISO 639-1 code of the speech; None where unknown.
        transcript: file with what is said; None: none is given.
        recording: id; empty before it has one.
        taken_back: names of those of the other fields that an earlier call may have said, and that hold no more.
    """

    file: Path
    participant: str = ""
    question: int | None = None
    language: str | None = None
    transcript: Path | None = None
    recording: str = ""
    taken_back: frozenset[str] = frozenset()

    @property
    def owner(self) -> str:
        """Participant id; a recording of nobody known is its own."""
        return self.participant or self.recording

    @property
    def link(self) -> str:
        """Name of the link to the file."""
        return f"{self.recording}{self.file.suffix.lower()}"


def updated(said: Mapping[str, Any], before: Given, taken_back: Collection[str]) -> Given:
    """A recording of which something is said that was not before, and something taken back."""
    news = {name: value for name, value in said.items() if value}
    nothing = {name: getattr(Given(before.file), name) for name in taken_back}
    return replace(before, **{**nothing, **news}, taken_back=before.taken_back - news.keys() | set(taken_back))


def with_ids(given: Sequence[Given], out: Path) -> list[Given]:
    """The recordings of the output folder, those named before and those named now, each with its id.

    A file keeps its id in later calls, and what was said of it, unless something else is said now, or it is taken back.

    Raises:
        WaverError: the list of the folder was edited so that it cannot be read, or is gone: ids would be given anew,
            and what people corrected of one recording taken for another's.
    """
    mapping = out / MAPPING
    if not mapping.is_file() and (out / LINKS).is_dir():
        raise WaverError(
            f"{mapping}, which says which file each recording is, is gone; restore it, or give another --out"
        )
    before = read_mapping(mapping) if mapping.is_file() else []
    now = {one.file: one for one in given}
    kept = [_said_again(one, now.pop(one.file)) if one.file in now else one for one in before]
    now = {file: replace(one, taken_back=frozenset()) for file, one in now.items()}
    last = last_number(out, before)
    new = [replace(one, recording=f"recording_{last + place:03d}") for place, one in enumerate(now.values(), start=1)]
    if new:  # first: people delete lines of the list
        keep_last_number(out, new)
    write_mapping(mapping, [*kept, *new])
    return [*kept, *new]


def last_number(out: Path, given: Iterable[Given]) -> int:
    """Greatest number that an id of an output folder has, or had before recordings were forgotten; 0: there was none.

    Args:
        out: output folder.
        given: recordings of its list.

    Raises:
        WaverError: the number that was kept cannot be read.
    """
    file = out / LAST
    try:
        kept = int(file.read_text(encoding="ascii")) if file.is_file() else 0
    except ValueError as error:
        raise WaverError(
            f"{file}, the greatest number that an id had, cannot be read; restore it, or give another --out"
        ) from error
    return max([kept, *(int(one.recording.rpartition("_")[2]) for one in given if _ID.fullmatch(one.recording))])


def keep_last_number(out: Path, given: Iterable[Given]) -> None:
    """Write what ``last_number`` finds, before the list loses recordings."""
    last = last_number(out, given)
    with atomic_write(out / LAST) as file:
        file.write_text(f"{last}\n", encoding="ascii")


def _said_again(before: Given, now: Given) -> Given:
    """What is known of a recording: what is said now, else what was said before."""
    said = updated({name: getattr(now, name) for name in SAID}, before, now.taken_back)
    return replace(said, taken_back=frozenset())


def write_mapping(path: Path, given: Sequence[Given]) -> None:
    """Write which file each recording is."""
    write_rows(path, _MAPPED, [_as_row(one) for one in given])


def read_mapping(path: Path, ids: re.Pattern[str] = _ID) -> list[Given]:
    """What ``write_mapping`` wrote, of ids that match an expression.

    Raises:
        WaverError: it was edited so that it cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="", errors="surrogateescape") as stream:
            lines = csv.DictReader(stream)
            given = [_from_row(row, ids) for row in lines]
        if tuple(lines.fieldnames or ()) != _MAPPED or len({one.recording for one in given}) < len(given):
            raise ValueError("other columns, or an id twice")
        return given
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise WaverError(f"{path} cannot be read; restore it, or give another --out") from error


def hand_on_mapping(source: Path, out: Path, recordings: Collection[str]) -> None:
    """Write whose recordings an output folder is about, without the names of their files.

    Args:
        source: folder that says it; where it does not, nothing is written.
        out: output folder.
        recordings: ids.
    """
    if (source / MAPPING).is_file():
        own = [one for one in read_mapping(source / MAPPING, ANY_ID) if one.recording in recordings]
        write_mapping(out / MAPPING, [replace(one, file=Path(), transcript=None) for one in own])


def _from_row(row: Mapping[str, str], ids: re.Pattern[str]) -> Given:
    if not ids.fullmatch(row["recording"]):
        raise ValueError(row["recording"])
    question, transcript = row["question"], row["transcript"]
    return Given(
        file=Path(row["file"]),
        participant=row["participant"],
        question=int(question) if question else None,
        language=row["language"] or None,
        transcript=Path(transcript) if transcript else None,
        recording=row["recording"],
    )


def _as_row(one: Given) -> list[object]:
    file = "" if one.file == Path() else one.file
    return [one.recording, file, one.participant, one.question or "", one.language or "", one.transcript or ""]


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table, where names of files may hold any bytes."""
    with atomic_write(path) as file, file.open("w", encoding="utf-8", newline="", errors="surrogateescape") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(rows)
