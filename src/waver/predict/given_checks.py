"""What of the recordings of an output folder cannot be used as it was given, said with the ids of the folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from waver.datasets.exclusions import Row, exclusion_row
from waver.datasets.folder.annotations import TRANSCRIPTS_FILE
from waver.datasets.folder.listing import LISTING
from waver.datasets.questions import Questions
from waver.predict.given import MAPPING, Given

_LINE = re.compile(rf"{re.escape(LISTING)}, line ([0-9]+)")
_SPOKEN = re.compile(rf"{re.escape(TRANSCRIPTS_FILE)}, line [0-9]+")


def still_there(given: Sequence[Given], set_aside: list[Row]) -> list[Given]:
    """The recordings whose file is there; one of an earlier call may have been moved since.

    Args:
        given: all recordings of the output folder.
        set_aside: gets a row for each other.
    """
    gone = [one for one in given if not os.path.lexists(one.file)]
    remedy = f"bring it back, or delete its line in {MAPPING}"
    set_aside += [exclusion_row(one.recording, "its file is no longer there", remedy, one.owner) for one in gone]
    return [one for one in given if one not in gone]


def in_ids(rows: Iterable[Row], given: Sequence[Given]) -> list[Row]:
    """Rows of what the reader set aside, where lines of the tables that were made for it are what the user gave."""

    def recording(line: re.Match[str]) -> str:
        return given[int(line[1]) - 2].recording  # the first line is the header

    return [
        row
        | {
            "reason": _SPOKEN.sub("its transcript", _LINE.sub(recording, row["reason"])),
            "remedy": row["remedy"].replace("keep one of the two lines", "it is predicted once"),
        }
        for row in rows
    ]


def longer_transcripts(videos: Mapping[str, Row], spoken: Mapping[str, Sequence[Row]]) -> Iterator[Row]:
    """Rows of recordings whose transcript goes on after they end: it may well be another's.

    Args:
        videos: recording -> its row (VIDEOS).
        spoken: recording -> rows of its transcript (TRANSCRIPTS).
    """
    for recording, row in videos.items():
        last_s = max((one["start_s"] or 0.0 for one in spoken.get(recording, ())), default=0.0)
        if last_s > row["duration_s"]:
            reason = f"its transcript goes on at {last_s:.1f} s, and it ends at {row['duration_s']:.1f} s"
            remedy = "see whether the transcript is of another recording; it is used as it is"
            yield exclusion_row(recording, reason, remedy, row["participant"])


def corrected_before(recording: str, files: Iterable[str], participant: str) -> list[Row]:
    """Rows of files that somebody corrected and that stay, though the recording is predicted anew.

    Held against the new prediction, the old one in them would count as a person's.
    """
    reason = "was corrected, and still holds the earlier prediction"
    remedy = "move it to another folder, and run the command again for one of this prediction"
    return [exclusion_row(recording, f"{name} {reason}", remedy, participant) for name in sorted(files)]


def of_known_questions(given: Sequence[Given], questions: Questions, set_aside: list[Row]) -> list[Given]:
    """The recordings, without the number of a question of which the model knows nothing.

    Args:
        given: all recordings of the output folder.
        questions: those that the model was trained on.
        set_aside: gets a row for each such number.
    """
    strange = [one for one in given if one.question is not None and one.question > questions.count]
    for one in strange:
        remedy = f"give a number from 1 to {questions.count}, or none"
        reason = "its question is none of those that the model knows, and it is predicted without it"
        set_aside.append(exclusion_row(one.recording, reason, remedy, one.owner))
    return [replace(one, question=None) if one in strange else one for one in given]
