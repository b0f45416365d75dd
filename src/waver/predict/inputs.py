"""The recordings that a user names, and a folder data set of them that the reader ``folder`` reads."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
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
from waver.predict.given import LINKS, MAPPING, SAID, Given, updated, write_rows
from waver.predict.options import TAKE_BACK
from waver.predict.transcript_files import Said, find_transcript, read_transcript

SPLIT = "test"
"""Split of recordings that no model learns from."""
_LONGEST_ID = 200
"""Bytes of the longest id that the reader of the folder takes."""
_KINDS = ", ".join(VIDEO_SUFFIXES)


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
    unreadable, no_files = list[str](), list[str]()
    # what is no file is told when it is read, as one that is named is
    for path in sorted([*(found.path for found in scan(folder, unreadable, no_files)), *no_files]):
        file = _absolute(folder / path)
        is_link = file.parent.name == LINKS and (file.parents[1] / MAPPING).is_file()
        if path.lower().endswith(VIDEO_SUFFIXES) and not is_link:
            yield file
    set_aside += [exclusion_row(item, "a folder in it cannot be read", ALLOW, path=one) for one in unreadable]


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))


def _listed(item: str, path: Path, known: Given, set_aside: list[Row]) -> Iterator[tuple[str, Given]]:
    for line in read_csv(path, ("video",), SAID):
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
    taken_back = {name for name in SAID if line[name] == TAKE_BACK}
    line = replace(line, values={name: value for name, value in line.values.items() if name not in taken_back})
    said = {
        "participant": participant_id(line["participant"]),
        "question": number(line, "question", 1, MOST_QUESTIONS),
        "language": language_of(line),
        "transcript": _absolute(folder / line["transcript"]) if line["transcript"] else None,
    }
    return updated(said, replace(known, file=file), taken_back)


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
    write_rows(folder / LISTING, ("participant", "video", "split", "question", "language"), listing)
    write_rows(folder / TRANSCRIPTS_FILE, ("video", "start_s", "end_s", "text"), spoken)
    write_rows(folder / QUESTIONS_FILE, ("question", "text", "language", "kind", "affect"), _question_rows(questions))
    return {str(row[0]).rpartition(".")[0] for row in spoken}


def _transcript(one: Given, folder: Path | None, ambiguous: bool) -> Sequence[Said]:
    file = one.transcript or (find_transcript(folder, one.file) if folder else None)
    if file and ambiguous and not one.transcript:
        reason = "several recordings have its name, and the transcript of this name is used for none of them"
        raise ExcludedItem(reason, "say in a list which transcript is whose")
    return read_transcript(file) if file else ()


def _question_rows(questions: Questions) -> list[list[object]]:
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
