"""Split files: who is in train, val or test, and what they say of each video or frame."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from waver.data.annotation import Interval, Labels
from waver.data.aside import Row, aside
from waver.data.names import PATTERN, VideoName, parse_name
from waver.data.yamlfile import read_text, read_yaml
from waver.errors import WaverError

CLASSES = {"With A-H": 1, "No A-H": 0}
"""Names of the classes in the release's ``class_id.yaml``."""
DROPPED_RUN_FRAMES = 16
"""The published segment tables leave out runs of frames without A/H shorter than this."""


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
        WaverError: the file is not YAML or holds no numbers.
    """
    named = CLASSES if path is None else read_yaml(path)
    try:
        return {"0": 0, "1": 1, **{str(name): int(number) for name, number in named.items()}}
    except (AttributeError, TypeError, ValueError) as error:
        raise WaverError(f"{path} is no table of class names and numbers ({error}); mend or delete it") from error


def read_split(path: Path, split: str, classes: Mapping[str, int], root: Path) -> tuple[list[Entry], list[Row]]:
    """Read a video-level split file: ``path,label,transcript`` without header and quotes.

    Only the first two commas separate; the transcript has commas of its own.

    Args:
        path: the file.
        split: train, val or test.
        classes: what ``read_classes`` gave.
        root: folder of the release.

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
        if name is not None and (label in classes or not label):
            entries.append(Entry(name, video.strip(), split, classes.get(label), transcript.strip(), path))
        elif number > 1 or ".mp4" in line:  # else a header
            bad.append(_bad_line(str(path.relative_to(root)), number, name))
    return entries, bad


def _bad_line(path: str, number: int, name: VideoName | None) -> Row:
    where = f"{path}, line {number}"
    reason = f"{where}: its label is none of the classes" if name else "the line starts with no video's path"
    remedy = f"write {PATTERN},<0 or 1>,<transcript> there"
    return aside(name.video if name else where, reason, remedy, name.participant if name else None, path)


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
    with open(path, encoding="utf-8-sig") as stream:
        for line in stream:
            image, _, label = line.rpartition(",")
            video, _, frame = image.rpartition("/")
            if video not in keys:
                name = parse_name(video)
                keys[video] = name.key if name else None
            key, number = keys[video], frame.removeprefix("frame-").rpartition(".")[0]
            if key is not None and number.isdigit() and label.strip() in classes:
                found[key][0].append(int(number))
                found[key][1].append(classes[label.strip()])
    labels = {key: _in_order(*lists) for key, lists in found.items()}
    return {key: values for key, values in labels.items() if values is not None}


def _in_order(frames: list[int], labels: list[int]) -> Labels | None:
    order = np.argsort(frames)
    ordered = np.array(frames)[order]
    whole = ordered[0] <= 1 and np.array_equal(ordered - ordered[0], np.arange(len(ordered)))
    return np.array(labels, np.uint8)[order] if whole else None


def read_segment_table(path: Path) -> dict[str, tuple[list[Interval], int]]:
    """Read ``video,segment_id,label,num_frames,start_frame,end_frame`` (ends inclusive, from 0).

    Returns:
        Key of the video -> half-open A/H intervals in source frames, and the frames it covers.

    Raises:
        WaverError: the table has other columns or content; the line is named.
    """
    table: dict[str, tuple[list[Interval], int]] = {}
    with open(path, encoding="utf-8-sig", newline="") as stream:
        for number, row in enumerate(csv.DictReader(stream), start=2):
            try:
                name = parse_name(row["video"])
                label, start, end = int(row["label"]), int(row["start_frame"]), int(row["end_frame"]) + 1
            except (KeyError, TypeError, ValueError) as error:
                raise WaverError(f"{path}, line {number}: no row of a segment table ({error}); mend it") from error
            if name is not None:
                intervals, frames = table.get(name.key, ([], 0))
                table[name.key] = (sorted([*intervals, (start, end)] if label else intervals), max(frames, end))
    return table
