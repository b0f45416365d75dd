"""Reviewed segments as the annotation of a training set of the reader ``folder`` (docs/adding_a_dataset.md)."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from waver.datasets.base import SPLITS
from waver.datasets.elan.tier_list import channel_of
from waver.datasets.folder.annotations import SEGMENT_NEEDED, SEGMENT_OPTIONAL, SEGMENTS_FILE
from waver.datasets.folder.csv_table import read_csv
from waver.datasets.folder.listing import LISTING, NEEDED, OPTIONAL, plain_path, safe_id
from waver.errors import WaverError
from waver.io.atomic import atomic_write
from waver.predict.codings import Coding
from waver.predict.given import ANY_ID, MAPPING, Given, read_mapping
from waver.predict.segments import Span
from waver.predict.tiers import frame_to_ms
from waver.provenance import file_sha256

_ADDED = "reviewed_"
_LINK = re.compile(rf"{_ADDED}[0-9a-f]{{12}}\.\w+")
"""Name of the link to a recording that was added."""


def add_to(folder: Path, predictions: Path, codings: Sequence[Coding], split: str) -> list[str]:
    """Add recordings with their reviewed segments, or replace the segments of those that the folder lists already.

    The folder gets a link to each recording, named by the file's content, a line of ``videos.csv`` and lines of
    ``segments.csv``, with the cues that the coder saw within a segment. A participant stays in the split that the
    folder has them in; a recording of nobody known is its own participant. What the coder could not tell is neither
    label, and such a recording is not added.

    Args:
        folder: of the data set; made where it is not there.
        predictions: folder that says which file each recording is (``private/recordings.csv``).
        codings: one of each recording.
        split: of participants who are new.

    Returns:
        The recordings that were added.

    Raises:
        WaverError: nobody says which file a recording is, or a table of the folder cannot be read.
    """
    if split not in SPLITS:
        raise WaverError(f"--split {split} is none of {', '.join(SPLITS)}")
    if not (predictions / MAPPING).is_file():
        raise WaverError(f"{predictions / MAPPING} does not say which file each recording is; export with --purpose "
                         "internal --media <root of the data set>, or give the --out of waver predict")  # fmt: skip
    given = {one.recording: one for one in read_mapping(predictions / MAPPING, ANY_ID)}
    chosen = [one for one in codings if not one.unsure]
    for one in chosen:
        if one.recording not in given or not given[one.recording].file.is_file():
            raise WaverError(f"the file of {one.recording} is not there any more; correct {predictions / MAPPING}")
    videos = _lines(folder / LISTING, NEEDED, OPTIONAL)
    segments = _lines(folder / SEGMENTS_FILE, SEGMENT_NEEDED, SEGMENT_OPTIONAL)
    splits = {row["participant"]: row["split"] for row in videos}
    for one in chosen:
        row = _row(one, given[one.recording], splits, split)
        _link(given[one.recording].file, folder / row["video"])
        videos = [known for known in videos if plain_path(known["video"]) != row["video"]] + [row]
        segments = [known for known in segments if plain_path(known["video"]) != row["video"]]
        segments += [_segment(row["video"], span, one.cues) for span in one.positive]
    _write_tables(folder, videos, segments)
    return [one.recording for one in chosen]


def reviewed_of(folder: Path, participant: str) -> list[str]:
    """Recordings of a participant that ``add_to`` added to a folder: their links; empty where it is no data set.

    Raises:
        WaverError: its listing cannot be read.
    """
    rows = _lines(folder / LISTING, NEEDED, OPTIONAL)
    own = [row for row in rows if participant in (row["participant"], safe_id(row["participant"]))]
    videos = [plain_path(row["video"]) for row in own]
    # what is no link under such a name is the user's own recording
    return [video for video in videos if _LINK.fullmatch(video) and not _is_file(folder / video)]


def take_out(folder: Path, videos: Collection[str]) -> None:
    """Take lines of recordings out of the tables of a folder.

    Raises:
        WaverError: a table cannot be read.
    """
    listed = _lines(folder / LISTING, NEEDED, OPTIONAL)
    segments = _lines(folder / SEGMENTS_FILE, SEGMENT_NEEDED, SEGMENT_OPTIONAL)
    left = ([row for row in rows if plain_path(row["video"]) not in videos] for rows in (listed, segments))
    _write_tables(folder, *left)


def _write_tables(folder: Path, videos: Sequence[dict[str, str]], segments: Sequence[dict[str, str]]) -> None:
    """Write ``segments.csv``, with the columns of cues that hold something, and ``videos.csv``."""
    said = [name for name in SEGMENT_OPTIONAL if any(row.get(name) for row in segments)]
    _write(folder / SEGMENTS_FILE, (*SEGMENT_NEEDED, *said), segments)
    _write(folder / LISTING, (*NEEDED, *OPTIONAL), videos)


def _row(one: Coding, given: Given, splits: dict[str, str], split: str) -> dict[str, str]:
    # ids of recordings are those of one folder of predictions: the content tells recordings of several apart
    name = f"{_ADDED}{file_sha256(given.file)[:12]}"
    participant = unquote(given.participant) or name  # as people write it, which is as the folder has it
    return {
        "participant": participant,
        "video": f"{name}{given.file.suffix.lower()}",
        "split": splits.setdefault(participant, split),
        "question": "" if given.question is None else str(given.question),
        "label": str(int(bool(one.positive))),
        "language": given.language or "",
    }


def _segment(video: str, span: Span, cues: Sequence[tuple[Span, str]]) -> dict[str, str]:
    """Seconds in milliseconds, which the reader takes back to the same frames, and the cues seen in them by channel."""
    start_s, end_s = (f"{frame_to_ms(frame) / 1000:.3f}" for frame in span)
    seen: dict[str, dict[str, None]] = {}
    for (start, end), text in cues:
        tier, _, cue = text.partition(": ")
        channel = channel_of(tier)
        if channel and cue and start < span[1] and span[0] < end:
            seen.setdefault(channel, {})[cue] = None
    return {"video": video, "start_s": start_s, "end_s": end_s} | {name: "; ".join(said) for name, said in seen.items()}


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _link(file: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_symlink() and os.readlink(place) == os.path.abspath(file):
        return
    place.unlink(missing_ok=True)  # the name says that its content is the same
    place.symlink_to(os.path.abspath(file))


def _lines(path: Path, needed: Sequence[str], optional: Sequence[str]) -> list[dict[str, str]]:
    if not path.exists():
        return []
    lines = read_csv(path, needed, optional)
    broken = next((line for line in lines if line.problem), None)
    if broken is not None:
        raise WaverError(f"{path}: {broken.where}: {broken.problem}; correct the line first")
    return [dict(line.values) for line in lines]


def _write(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    with atomic_write(path) as file, file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
