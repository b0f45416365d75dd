"""Split files: who is in train, val or test, and what they say of each video or frame."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from waver.datasets.bah.frame_lists import Labels
from waver.datasets.bah.release_yaml import read_text, read_yaml
from waver.datasets.bah.released_values import MOST_FRAMES, Interval, number_in
from waver.datasets.bah.video_names import PATTERN, VideoName, parse_name
from waver.datasets.exclusions import Row, exclusion_row
from waver.datasets.text_files import NOT_UTF_8, UNREADABLE, file_encoding
from waver.errors import WaverError

CLASSES = {"With A-H": 1, "No A-H": 0}
"""Names of the classes in the release's ``class_id.yaml``."""
DROPPED_RUN_FRAMES = 16
"""The published segment tables leave out runs of frames without A/H shorter than this."""


_SEGMENT_COLUMNS = {"video", "label", "start_frame", "end_frame"}
_FRAME = re.compile("[0-9]{1,7}")


@dataclass(frozen=True)
class Entry:
    """One video of a split.

    Attributes:
        name: what its path tells.
        path: its path as the file spells it.
        split: train, val or test.
        label: 1 A/H, 0 none; None where not given.
        transcript: third field; empty where not given.
        source: the file that lists it.
    """

    name: VideoName
    path: str
    split: str
    label: int | None
    transcript: str
    source: Path


def read_classes(path: Path | None) -> dict[str, int]:
    """Label of every spelling of a class: its name, ``0`` and ``1``.

    Args:
        path: ``class_id.yaml``, or None for the names the release uses.

    Raises:
        WaverError: the file is not YAML or holds no table.
    """
    named = CLASSES if path is None else read_yaml(path)
    if not isinstance(named, Mapping):
        raise WaverError(
            f"{path} is no table of class names and numbers; mend it, or write With A-H: 1 and No A-H: 0 there"
        )
    # a class that is neither of the two labels nothing: the lines that name it are excluded
    return {"0": 0, "1": 1, **{str(name): int(number) for name, number in named.items() if number in (0, 1)}}


def read_split(
    path: Path, split: str, classes: Mapping[str, int], root: Path, refused: set[str] | None = None
) -> tuple[list[Entry], list[Row]]:
    """Read a video-level split file: ``path,label,transcript`` without header and quotes.

    Only the first two commas separate; the transcript has commas of its own.

    Args:
        path: the file.
        split: train, val or test.
        classes: what ``read_classes`` gave.
        root: folder of the release.
        refused: gets the keys of videos whose line could not be used.

    Returns:
        The entries, and rows of lines that could not be used.
    """
    entries: list[Entry] = []
    bad: list[Row] = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        video, label, transcript = (*line.split(",", 2), "", "")[:3]
        name, label = parse_name(video), label.strip()
        if UNREADABLE in line:
            bad.append(_bad_text(str(path.relative_to(root)), number, name))
        elif name is not None and (label in classes or not label):
            entries.append(Entry(name, video.strip(), split, classes.get(label), transcript.strip(), path))
            continue
        elif number > 1 or ".mp4" in line:  # else a header
            bad.append(_bad_line(str(path.relative_to(root)), number, name))
        if refused is not None and name is not None:
            refused.add(name.key)
    return entries, bad


def _bad_line(path: str, number: int, name: VideoName | None) -> Row:
    where = f"{path}, line {number}"
    reason = f"{where}: its label is none of the classes" if name else "the line starts with no video's path"
    remedy = f"write {PATTERN},<0 or 1>,<transcript> there"
    return exclusion_row(name.video if name else where, reason, remedy, name.participant if name else None, path)


def _bad_text(path: str, number: int, name: VideoName | None) -> Row:
    where = f"{path}, line {number}"
    remedy = "save it in UTF-8, or copy it again from the release"
    item, participant = (name.video, name.participant) if name else (where, None)
    return exclusion_row(item, f"{where}: {NOT_UTF_8}", remedy, participant, path)


def check_disjoint(entries: Iterable[Entry]) -> None:
    """Hold that no participant is in two splits.

    Raises:
        WaverError: somebody is; participants and files are named.
    """
    where: dict[str, dict[str, Path]] = defaultdict(dict)
    for entry in entries:
        where[entry.name.participant].setdefault(entry.split, entry.source)
    twice = {who: files for who, files in where.items() if len(files) > 1}
    if twice:
        files = sorted({str(path) for found in twice.values() for path in found.values()})
        raise WaverError(
            f"participants {', '.join(sorted(twice))} are in more than one split ({', '.join(files)}); "
            "a participant's videos belong to one split: take the split files of one release"
        )


def read_frame_split(path: Path, classes: Mapping[str, int]) -> dict[str, Labels]:
    """Read a frame-level split file: ``<video>/frame-<i>.jpg,<label>`` a line, with or without header.

    Returns:
        Key of the video -> uint8 [F]. A video whose frames are not 0..F-1 (or 1..F) is left out.
    """
    found: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    keys: dict[str, str | None] = {}
    with open(path, encoding=file_encoding(path), errors="replace") as stream:
        for line in stream:
            image, _, label = line.rpartition(",")
            video, _, frame = image.rpartition("/")
            if video not in keys:
                name = parse_name(video)
                keys[video] = name.key if name else None
            key, number = keys[video], frame.removeprefix("frame-").rpartition(".")[0]
            if key is not None and _FRAME.fullmatch(number) and label.strip() in classes:
                found[key][0].append(int(number))
                found[key][1].append(classes[label.strip()])
    labels = {key: _in_order(*lists) for key, lists in found.items()}
    return {key: values for key, values in labels.items() if values is not None}


def _in_order(frames: list[int], labels: list[int]) -> Labels | None:
    order = np.argsort(frames)
    ordered = np.array(frames)[order]
    whole = ordered[0] <= 1 and np.array_equal(ordered - ordered[0], np.arange(len(ordered)))
    return np.array(labels, np.uint8)[order] if whole else None


def read_segment_table(path: Path, exclusions: list[Row]) -> dict[str, tuple[list[Interval], int]]:
    """Read ``video,segment_id,label,num_frames,start_frame,end_frame`` (ends inclusive, from 0).

    Args:
        path: the table.
        exclusions: gets a row for each line that cannot be used, or one for a table that has other columns.

    Returns:
        Key of the video -> half-open A/H intervals in source frames, and the frames it covers; nothing of a video
        with a line that cannot be used.
    """
    found: dict[str, tuple[list[Interval], int]] = {}
    spoilt: set[str] = set()
    columns: list[str] = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        try:
            fields = next(csv.reader([line], strict=True), [])  # no field of this table has a line end
            if not columns or not fields:
                columns = columns or fields
                continue
            row = dict(zip(columns, fields, strict=False))
            name = parse_name(row["video"])
            label = number_in(row["label"], 0, 1)
            start, end = number_in(row["start_frame"], 0, MOST_FRAMES), number_in(row["end_frame"], 0, MOST_FRAMES)
        except (KeyError, ValueError, csv.Error):
            exclusions.append(_bad_segment(path, number))
            if not _SEGMENT_COLUMNS.issubset(columns):  # other columns: so are those of all lines
                break
            name = parse_name(line.replace('"', "").split(",")[columns.index("video")] if "," in line else line)
            spoilt |= {name.key} if name else set()
            continue
        if name is not None:
            intervals, frames = found.setdefault(name.key, ([], 0))
            if label:
                intervals.append((start, end + 1))
            found[name.key] = intervals, max(frames, end + 1)
    return {key: (sorted(intervals), frames) for key, (intervals, frames) in found.items() if key not in spoilt}


def _bad_segment(path: Path, line: int) -> Row:
    where = f"{path.name}, line {line}"
    return exclusion_row(
        where, f"{where}: no row of a segment table", "mend the line, or copy the table again", path=path.name
    )
