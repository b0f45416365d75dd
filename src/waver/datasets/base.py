"""What a data set is to Waver: six tables and its questions, given by a reader, and checked before they are written.

A reader is a function in a package of its own, with a record in ``waver.datasets.registry``. It knows the files of
its data set; nothing after it does. Participants are never read out of the names of files or videos.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from waver.datasets.exclusions import Row
from waver.datasets.questions import Questions, bah_questions
from waver.errors import WaverError
from waver.io.tables import ANSWERS, PARTICIPANTS, SEGMENTS, SET_ASIDE, TRANSCRIPTS, VIDEOS

SCHEMAS: dict[str, pa.Schema] = {
    "participants": PARTICIPANTS,
    "set_aside": SET_ASIDE,
    "videos": VIDEOS,
    "answers": ANSWERS,
    "segments": SEGMENTS,
    "transcripts": TRANSCRIPTS,
}
"""Tables of a data set."""
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Source:
    """What a reader is told.

    Attributes:
        root: folder of the data set.
        layout: ``dataset.layout`` of the config; of a reader that knows only one, no matter.
        cache: JSON file for probes and checksums of video files (``waver.datasets.video_files.examine``).
        recorded: there are video files; False: split files and transcripts alone.
    """

    root: Path
    layout: str
    cache: Path
    recorded: bool = True


@dataclass
class DataSet:
    """What a reader gives: rows of the tables of ``waver.io.tables``, and the questions that were asked.

    Participants, answers, segments and transcripts cover everything that is listed; videos only those whose file can
    be used. What cannot be used is a row of ``set_aside`` (``waver.datasets.exclusions.exclusion_row``), and the rest
    goes on. ``layout`` names that of the release, of a reader that knows releases.
    """

    participants: list[Row] = field(default_factory=list)
    videos: list[Row] = field(default_factory=list)
    answers: list[Row] = field(default_factory=list)
    segments: list[Row] = field(default_factory=list)
    transcripts: list[Row] = field(default_factory=list)
    set_aside: list[Row] = field(default_factory=list)
    questions: Questions = field(default_factory=bah_questions)
    layout: str = ""
    unusable: set[str] = field(default_factory=set)
    doubts: list[str] = field(default_factory=list)

    def note_unusable(self, lines: Iterable[Row]) -> None:
        """Note rows of ``set_aside`` about lines of a list that cannot be used: their participants are still there."""
        for row in lines:
            if row["participant"]:
                self.unusable.add(row["participant"])
            else:
                self.doubts.append("a line of the lists cannot be used")

    def table(self, name: str) -> list[Row]:
        """Rows of a table of ``SCHEMAS``."""
        rows: list[Row] = getattr(self, name)
        return rows


class Reader(Protocol):
    """Reads a data set."""

    def __call__(self, source: Source) -> DataSet:
        """The data set at ``source.root``.

        Raises:
            WaverError: the data set as a whole cannot be read, in one sentence with the file and the remedy.
        """
        ...


def arrow_table(name: str, rows: Iterable[Row]) -> pa.Table:
    """Rows in the schema of their table.

    Raises:
        WaverError: a value is missing or of another type.
    """
    schema = SCHEMAS[name]
    try:
        table = pa.Table.from_pylist(list(rows), schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise _broken(name, f"a value does not fit its column ({error})") from error
    for column in schema:
        if not column.nullable and table[column.name].null_count:
            raise _broken(name, f"column {column.name} has empty values")
    return table


def check(found: DataSet) -> None:
    """Hold the tables to each other; their columns are held to the schemas by ``arrow_table``.

    Raises:
        WaverError: an id is twice there or cannot name a file, a participant is in no table or in two splits, a row
            belongs to no video, or a question has a number that the data set has not.
    """
    split = {row["participant"]: row["split"] for row in found.participants}
    _unique("participants", (row["participant"] for row in found.participants))
    answered = {row["video"] for row in found.answers}
    for row in found.participants:
        if row["split"] not in SPLITS:
            raise _broken("participants", f"{row['participant']} is in split {row['split']!r}")
    for name in ("answers", "videos"):
        _unique(name, (row["video"] for row in found.table(name)))
        for row in found.table(name):
            if row["participant"] not in split:
                raise _broken(name, f"participant {row['participant']} of {row['video']} is not in participants")
            if row["split"] != split[row["participant"]]:
                raise _broken(name, f"{row['video']} is in {row['split']}, its participant in another split")
            if row["question"] is not None and not 1 <= row["question"] <= found.questions.count:
                raise _broken(name, f"question {row['question']} of {row['video']} is none of {found.questions.count}")
    for name in ("videos", "segments", "transcripts"):
        for row in found.table(name):
            if row["video"] not in answered:
                raise _broken(name, f"{row['video']} is not in answers")


def _unique(name: str, ids: Iterable[str]) -> None:
    for one, count in Counter(ids).items():
        if count > 1:
            raise _broken(name, f"{one} is there {count} times")
        if not one or one.startswith(".") or len(one.encode()) > 200 or any(c in "/\\" or ord(c) < 32 for c in one):
            raise _broken(name, f"the id {one!r} cannot name a file")


def _broken(name: str, what: str) -> WaverError:
    return WaverError(
        f"the reader of the data set gave a table that cannot be used: {name}: {what}; correct the reader"
    )
