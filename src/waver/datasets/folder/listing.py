"""``videos.csv`` of a folder of recordings: who answered what in which file, and what that person allowed."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from waver.datasets.base import SPLITS
from waver.datasets.consent import Purpose, Statement, decide
from waver.datasets.exclusions import Row, exclusion_row
from waver.datasets.folder.csv_table import BROKEN_QUOTES, MEND_LINE, Line, read_csv
from waver.datasets.languages import ISO_639_1
from waver.datasets.text_files import NOT_UTF_8, UNREADABLE
from waver.errors import ExcludedItem, WaverError

LISTING = "videos.csv"
NEEDED = ("participant", "video", "split")
OPTIONAL = ("question", "label", "language", "consent_publications", "consent_challenges")
_MOST_GARBLED = 100
"""Names that cannot be read; with more of them, any line may be about anybody."""
MOST_QUESTIONS = 127
"""Numbers of questions are int8."""


@dataclass(frozen=True)
class Recording:
    """One line of the listing.

    Attributes:
        video: video id, made of the path.
        participant: participant id.
        path: of the file, relative to the root, with ``/``.
        split: train, val or test.
        question: number of the question, from 1; None where not given.
        label: 1 A/H, 0 none; None where not given.
        language: ISO 639-1 code; None where not given.
        where: file and line, for messages.
    """

    video: str
    participant: str
    path: str
    split: str
    question: int | None
    label: int | None
    language: str | None
    where: str


def read_listing(root: Path, exclusions: list[Row]) -> tuple[list[Recording], list[Row]]:
    """Recordings in the order of their ids, and rows of the participants table.

    Args:
        root: folder of the recordings.
        exclusions: gets a row for each line that cannot be used.

    Raises:
        WaverError: the file cannot be read, lists no usable recording, or has a participant in two splits.
    """
    lines = read_csv(root / LISTING, NEEDED, OPTIONAL)
    found: dict[str, Recording] = {}
    for line in lines:
        try:
            one = _recording(line)
            first = found.setdefault(one.video, one)
            if first is not one:
                raise ExcludedItem(f"its id is that of {first.where}", "remove one of the lines, or rename a file")
        except ExcludedItem as problem:
            exclusions.append(_excluded(line, problem))
    if not found:
        raise WaverError(f"{root / LISTING} {_why_empty(lines)}")
    _check_splits(root / LISTING, found.values())
    ordered = sorted(found.values(), key=lambda one: (one.participant, one.question or 0, one.video))
    return ordered, _participants(ordered, lines, exclusions)


def _excluded(line: Line, problem: ExcludedItem) -> Row:
    reason = f"{line.where}: {problem.reason}"
    if line.problem:  # nothing in it is sure
        return exclusion_row(line.where, reason, problem.remedy, None, LISTING)
    return exclusion_row(line["video"] or line.where, reason, problem.remedy, _id(line["participant"]), LISTING)


def _why_empty(lines: Sequence[Line]) -> str:
    problems = {line.problem for line in lines}
    if problems == {NOT_UTF_8}:
        return "is not in UTF-8; save it again as CSV in UTF-8"
    if problems == {BROKEN_QUOTES}:
        return "is no CSV table; close its quotes and save it again"
    return f"lists no usable recording; each line needs {', '.join(NEEDED)}"


def plain_path(path: str) -> str:
    """A path in one spelling: ``/`` between folders, no ``./`` before."""
    return str(PurePosixPath(path.replace("\\", "/"))) if path else ""


def safe_id(text: str) -> str:
    """An id that can name a file, another for every text: characters that cannot are written %XX."""
    kept = "".join(c if c.isalnum() or c in " ._-+@()" else quote(c, safe="") for c in text)
    return f"%2E{kept[1:]}" if kept.startswith(".") else kept


def _id(participant: str) -> str | None:
    return safe_id(participant) or None


def _recording(line: Line) -> Recording:
    if line.problem:
        raise ExcludedItem(line.problem, MEND_LINE)
    missing = [name for name in NEEDED if not line[name]]
    if missing:
        raise ExcludedItem(f"no {' and no '.join(missing)} is given", f"give each line {', '.join(NEEDED)}")
    path, split = plain_path(line["video"]), line["split"].lower()
    if path.startswith("/") or ":" in path[:3] or ".." in PurePosixPath(path).parts:
        raise ExcludedItem("the path leads out of the folder", "give paths relative to the folder of the data set")
    if split not in SPLITS:
        raise ExcludedItem(f"its split is none of {', '.join(SPLITS)}", "correct the column split")
    video, participant = safe_id(os.path.splitext(path)[0].replace("/", "__")), safe_id(line["participant"])
    if max(len(video.encode()), len(participant.encode())) > 200:
        raise ExcludedItem("an id of more than 200 bytes cannot name a file", "shorten the participant or the path")
    return Recording(
        video, participant, path, split,
        number(line, "question", 1, MOST_QUESTIONS), number(line, "label", 0, 1), language_of(line), line.where,
    )  # fmt: skip


def language_of(line: Line) -> str | None:
    """Code in the column language; None where the field is empty.

    Raises:
        ExcludedItem: the field holds anything else.
    """
    code = line["language"].lower()
    if code and code not in ISO_639_1:
        raise ExcludedItem("its language is no code", "give an ISO 639-1 code such as en, or nothing")
    return code or None


def number(line: Line, column: str, low: int, high: int) -> int | None:
    """A whole number in a column; None where the field is empty.

    Raises:
        ExcludedItem: the field holds anything else.
    """
    text = line[column]
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
        raise ExcludedItem(f"{column} is no number from {low} to {high}", f"correct the column {column}")
    return int(text)


def _check_splits(listing: Path, recordings: Iterable[Recording]) -> None:
    splits: dict[str, set[str]] = defaultdict(set)
    for one in recordings:
        splits[one.participant].add(one.split)
    twice = sorted(who for who, found in splits.items() if len(found) > 1)
    if twice:
        raise WaverError(
            f"{listing}: participants {', '.join(twice)} are in more than one split; "
            "put all recordings of a participant into one split"
        )


def _participants(recordings: Sequence[Recording], lines: Sequence[Line], exclusions: list[Row]) -> list[Row]:
    """Who did not say yes in every line, usable or not, has not consented."""
    splits = {one.participant: one.split for one in recordings}
    consent = decide(_statements(lines), splits, exclusions)
    stated = ("sex", "age", "age_group", "ethnicity", "ethnicity_stated", "birth_country", "province", "student")
    unknown = dict.fromkeys(stated)
    return [
        {
            "participant": who,
            "split": split,
            **unknown,
            "consent_publication": consent.may(who, "publication"),
            "consent_challenge": consent.may(who, "challenge"),
        }
        for who, split in sorted(splits.items())
    ]


def _statements(lines: Sequence[Line]) -> Iterator[Statement]:
    """What the lines say; one that cannot be read says nothing plain, of everybody whom it may be about."""
    for line in lines:
        if not line.problem:
            answers: dict[Purpose, list[str]] = {"publication": [line["consent_publications"]]}
            who = line["participant"]
            yield Statement(safe_id(who), who, {**answers, "challenge": [line["consent_challenges"]]})
    sure = {line["participant"] for line in lines if not line.problem}
    broken = {line["participant"] for line in lines if line.problem}
    garbled = [who.split(UNREADABLE) for who in broken if UNREADABLE in who]
    # a comma or a quote too many moves the columns
    broken |= {part for line in lines if line.problem and line["participant"] not in sure for part in line.parts}
    patterns = [re.compile(".{1,4}".join(map(re.escape, parts))) for parts in garbled[:_MOST_GARBLED]]
    for who in {line["participant"] for line in lines}:
        if who in broken or len(garbled) > _MOST_GARBLED or any(one.fullmatch(who) for one in patterns):
            yield Statement(safe_id(who), who, {})
