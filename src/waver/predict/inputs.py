"""The recordings that a user names: ids for them, and a folder data set that the reader ``folder`` reads.

A recording's id is a number. The names of the user's files, which may hold the name of a person or of a machine, stand
in ``private/recordings.csv`` of the output folder alone; links under the ids lead to the files.
"""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

from waver.datasets.absent_files import ALLOW
from waver.datasets.exclusions import Row, exclusion_row
from waver.datasets.folder.annotations import TRANSCRIPTS_FILE
from waver.datasets.folder.csv_table import MEND_LINE, Line, read_csv
from waver.datasets.folder.listing import LISTING, MOST_QUESTIONS, language_of, number, safe_id
from waver.datasets.folder.question_table import QUESTIONS_FILE
from waver.datasets.inventory import VIDEO_SUFFIXES, scan
from waver.datasets.questions import Question, Questions
from waver.errors import ExcludedItem, WaverError
from waver.io.atomic import atomic_write
from waver.predict.transcript_files import Said, find_transcript, read_transcript

MAPPING = "private/recordings.csv"
"""File of the output folder that says which file a recording is; for its owner's eyes."""
LINKS = "recordings"
"""Folder of the output folder with a link to each recording."""
SPLIT = "test"
"""Split of recordings that no model learns from."""
_ID = re.compile(r"recording_[0-9]{3,9}")
_LONGEST_ID = 200
"""Bytes of the longest id that the reader of the folder takes."""
_KINDS = ", ".join(VIDEO_SUFFIXES)
_MAPPED = ("recording", "file", "participant", "question", "language", "transcript")


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
    """

    file: Path
    participant: str = ""
    question: int | None = None
    language: str | None = None
    transcript: Path | None = None
    recording: str = ""

    @property
    def owner(self) -> str:
        """Participant id; a recording of nobody known is its own."""
        return self.participant or self.recording

    @property
    def link(self) -> str:
        """Name of the link to the file."""
        return f"{self.recording}{self.file.suffix.lower()}"


def read_inputs(inputs: Sequence[Path], known: Given, set_aside: list[Row]) -> list[Given]:
    """The recordings that the arguments name, in order, each once.

    Args:
        inputs: video files, folders with video files, and lists (``.csv``).
        known: what holds of all of them that a list does not say otherwise.
        set_aside: gets a row for each argument, each folder and each line of a list that cannot be used. The item is
            the argument's number, as what is written of it may hold no name of a file; the path is for the user alone.

    Raises:
        WaverError: a list cannot be read, or there is no recording at all.
    """
    found: dict[Path, Given] = {}
    for place, path in enumerate(inputs, start=1):
        for item, one in _named(f"input {place}", path, known, set_aside):
            if found.setdefault(one.file, one) != one and item:
                remedy = "keep one line of each recording"
                reason = "it says of a recording other than what was said of it before, and is not used"
                set_aside.append(exclusion_row(item, reason, remedy, path=one.file.name))
    if not found and not set_aside:
        raise WaverError(f"no recording is named; give files or folders with {_KINDS}")
    return list(found.values())


def _named(item: str, path: Path, known: Given, set_aside: list[Row]) -> Iterator[tuple[str, Given]]:
    """The recordings of an argument; those of a list with the number of their line."""
    if os.path.isdir(path):
        yield from (("", replace(known, file=file)) for file in _in_folder(item, path, set_aside))
    elif path.suffix.lower() == ".csv":
        yield from _listed(item, path, known, set_aside)
    elif path.suffix.lower() in VIDEO_SUFFIXES and os.path.lexists(path):
        yield "", replace(known, file=_absolute(path))
    else:
        there = "it is no recording of a kind that is read" if os.path.exists(path) else "there is nothing at this path"
        remedy = f"correct the path, or convert it to one of {_KINDS}"
        set_aside.append(exclusion_row(item, there, remedy, path=path.name))


def participant_id(text: str) -> str:
    """Id of a participant; empty for no text.

    Raises:
        ExcludedItem: it is too long to name files.
    """
    named = safe_id(text)
    if len(named.encode()) > _LONGEST_ID:
        raise ExcludedItem(f"an id of more than {_LONGEST_ID} bytes cannot name a file", "shorten the participant")
    return named


def _in_folder(item: str, folder: Path, set_aside: list[Row]) -> Iterator[Path]:
    """Videos at any depth, but not the links that earlier calls made in their output folders."""
    unreadable: list[str] = []
    for found in scan(folder, unreadable):
        file = _absolute(folder / found.path)
        is_link = file.parent.name == LINKS and (file.parents[1] / MAPPING).is_file()
        if found.path.lower().endswith(VIDEO_SUFFIXES) and not is_link:
            yield file
    set_aside += [exclusion_row(item, "a folder in it cannot be read", ALLOW, path=one) for one in unreadable]


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))


def _listed(item: str, path: Path, known: Given, set_aside: list[Row]) -> Iterator[tuple[str, Given]]:
    for line in read_csv(path, ("video",), ("participant", "question", "language", "transcript")):
        place = f"{item}{line.where.removeprefix(path.name)}"
        try:
            yield place, _of_line(line, path.parent, known)
        except ExcludedItem as problem:
            set_aside.append(exclusion_row(place, problem.reason, problem.remedy, path=line["video"] or path.name))


def _of_line(line: Line, folder: Path, known: Given) -> Given:
    if line.problem or not line["video"]:
        raise ExcludedItem(line.problem or "no video is given", MEND_LINE)
    file = _absolute(folder / line["video"])
    if file.suffix.lower() not in VIDEO_SUFFIXES:
        raise ExcludedItem("it is no recording of a kind that is read", f"convert it to one of {_KINDS}")
    if not os.path.lexists(file):
        raise ExcludedItem("there is nothing at this path", "correct the path, which is relative to the list")
    return replace(
        known,
        file=file,
        participant=participant_id(line["participant"]) or known.participant,
        question=number(line, "question", 1, MOST_QUESTIONS) or known.question,
        language=language_of(line) or known.language,
        transcript=_absolute(folder / line["transcript"]) if line["transcript"] else None,
    )


def with_ids(given: Sequence[Given], out: Path) -> list[Given]:
    """The recordings of the output folder, those named before and those named now, each with its id.

    A file keeps its id in later calls, and what was said of it, unless something else is said now.

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
    last = max((int(one.recording.rpartition("_")[2]) for one in before), default=0)
    new = [replace(one, recording=f"recording_{last + place:03d}") for place, one in enumerate(now.values(), start=1)]
    write_mapping(mapping, [*kept, *new])
    return [*kept, *new]


def _said_again(before: Given, now: Given) -> Given:
    """What is known of a recording: what is said now, else what was said before."""
    said = {name: getattr(now, name) for name in ("participant", "question", "language", "transcript")}
    return replace(before, **{name: value for name, value in said.items() if value})


def write_mapping(path: Path, given: Sequence[Given]) -> None:
    """Write which file each recording is."""
    _write_csv(path, _MAPPED, [_as_row(one) for one in given])


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
    return [one.recording, one.file, one.participant, one.question or "", one.language or "", one.transcript or ""]


def write_data_set(
    given: Sequence[Given], folder: Path, questions: Questions, transcripts: Path | None, set_aside: list[Row]
) -> set[str]:
    """Make the folder data set (docs/adding_a_dataset.md): links, the listing, the questions and the transcripts.

    Args:
        given: all recordings of the output folder.
        folder: to make it in.
        questions: those that the model was trained on; the new recordings are asked the same.
        transcripts: folder with files named as the recordings' files, for those that name none.
        set_aside: gets a row for each transcript that cannot be used.

    Returns:
        Ids of the recordings with a transcript.
    """
    folder.mkdir(parents=True, exist_ok=True)
    spoken = []
    named = Counter(one.file.stem for one in given if one.transcript is None)
    for one in given:
        _link(folder / one.link, one.file)
        try:
            lines = _transcript(one, transcripts, named[one.file.stem] > 1)
        except ExcludedItem as problem:
            set_aside.append(exclusion_row(one.recording, problem.reason, problem.remedy, one.owner))
            continue
        spoken += [[one.link, *("" if t is None else f"{t:.3f}" for t in line[:2]), line.text] for line in lines]
    # the reader makes ids of what it reads, as was done here already
    listing = [[unquote(one.owner), one.link, SPLIT, one.question or "", one.language or ""] for one in given]
    _write_csv(folder / LISTING, ("participant", "video", "split", "question", "language"), listing)
    _write_csv(folder / TRANSCRIPTS_FILE, ("video", "start_s", "end_s", "text"), spoken)
    _write_csv(folder / QUESTIONS_FILE, ("question", "text", "language", "kind", "affect"), _asked(questions))
    return {str(row[0]).rpartition(".")[0] for row in spoken}


def _transcript(one: Given, folder: Path | None, ambiguous: bool) -> Sequence[Said]:
    file = one.transcript or (find_transcript(folder, one.file) if folder else None)
    if file and ambiguous and not one.transcript:
        reason = "several recordings have its name, and the transcript of this name is used for none of them"
        raise ExcludedItem(reason, "say in a list which transcript is whose")
    return read_transcript(file) if file else ()


def _asked(questions: Questions) -> list[list[object]]:
    """Rows of the questions; the last number decides the number of columns of the context."""
    known = dict(questions.known)
    if questions.count not in known:
        known[questions.count] = Question()
    return [
        [place, text, language, one.kind, " ".join(one.affect)]
        for place, one in sorted(known.items())
        for language, text in (one.text or (("en", ""),))
    ]


def _link(link: Path, file: Path) -> None:
    if link.is_symlink() and os.readlink(link) == str(file):
        return
    link.unlink(missing_ok=True)
    link.symlink_to(file)


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with atomic_write(path) as file, file.open("w", encoding="utf-8", newline="", errors="surrogateescape") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(rows)
