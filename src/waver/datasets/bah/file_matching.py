"""The video files on the disk, one by one against what the split files list."""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from waver.datasets.absent_files import why_absent
from waver.datasets.bah.layouts import Layout
from waver.datasets.bah.splits import Entry
from waver.datasets.bah.video_names import PATTERN, VideoName, parse_name
from waver.datasets.clean_text import shown
from waver.datasets.exclusions import Row, exclusion_row
from waver.errors import ExcludedItem

log = logging.getLogger(__name__)

_ELSEWHERE = f"rename it to {PATTERN}, or move it elsewhere"


@dataclass(frozen=True)
class Located:
    """Where the files of the listed videos are, by the entry's path.

    Attributes:
        paths: video file, relative to the root.
        absent: why there is none.
    """

    paths: Mapping[str, str]
    absent: Mapping[str, ExcludedItem]


def match_files(
    found: Layout, entries: Sequence[Entry], refused: Set[str], unreadable: Sequence[str], exclusions: list[Row]
) -> Located:
    """Video file of each entry.

    Args:
        found: files of the release.
        entries: what the split files list.
        refused: keys of videos whose line in the split files cannot be used, and is excluded already.
        unreadable: folders that could not be read.
        exclusions: gets a row for each file that no entry takes. A second way to a file that is taken (a link to it,
            or to a folder above it) is none.
    """
    by_key: dict[str, list[str]] = defaultdict(list)
    for path in found.videos:
        name = parse_name(path)
        if name is None or shown(path) != path:
            exclusions.append(
                exclusion_row(shown(path), "the file's name does not follow the release", _ELSEWHERE, path=shown(path))
            )
        else:
            by_key[name.key].append(path)
    others = _others(found)
    located = {entry.path: _choose(entry.name, entry.path, by_key.get(entry.name.key, [])) for entry in entries}
    taken = {path for path in located.values() if path}
    left = [path for path in sorted(set().union(*by_key.values()) - taken) if _key(path) not in refused]
    _exclude_left(left, entries, _same_files(found.root, left, taken), exclusions)
    absent = {
        entry.path: why_absent(found.root, entry.path, next(iter(others.pop(entry.name.key, [])), None), unreadable)
        for entry in entries
        if not located[entry.path]
    }
    exclusions += [_other_row(path) for paths in others.values() for path in paths]
    return Located({entry: path for entry, path in located.items() if path}, absent)


def _others(found: Layout) -> dict[str, list[str]]:
    """Video files that are no MP4, by the key that they would have as one, or by their path."""
    others: dict[str, list[str]] = defaultdict(list)
    for path in found.others:
        others[_key(f"{os.path.splitext(path)[0]}.mp4") or path].append(path)
    return others


def _other_row(path: str) -> Row:
    name = parse_name(f"{os.path.splitext(path)[0]}.mp4")
    suffix = os.path.splitext(path)[1].lower()
    return exclusion_row(
        name.video if name else shown(path),
        f"a video file in {suffix}, which the release does not have",
        "convert it to MP4 if it is a recording of the release, or move it elsewhere",
        name.participant if name else None,
        shown(path),
    )


def _exclude_left(left: Sequence[str], entries: Sequence[Entry], same: Set[str], exclusions: list[Row]) -> None:
    listed, answered = {entry.name.key for entry in entries}, {entry.name.video for entry in entries}
    for path in left:
        name = parse_name(path)
        if name is None or path in same:
            continue
        reason, remedy = "no split file lists this video", "add it to a split file, or move it elsewhere"
        if name.key in listed:
            reason = "another copy of a recording that is already there"
            remedy = "see which of the two is the recording, and move the other elsewhere"
        elif name.video in answered:
            reason = "another recording of the same participant and question than the one the split file lists"
        exclusions.append(exclusion_row(name.video, reason, remedy, name.participant, path))


def _same_files(root: Path, left: Sequence[str], taken: Set[str]) -> set[str]:
    """Those of some paths that lead to files that are taken under another path."""
    if not left:
        return set()
    known = {_identity(root / path) for path in taken} - {None}
    same = {path for path in left if _identity(root / path) in known}
    if same:
        log.info("%d paths are links to videos that are read under another path", len(same))
    return same


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _key(path: str) -> str | None:
    name = parse_name(path)
    return name.key if name else None


def _choose(name: VideoName, spelling: str, candidates: list[str]) -> str | None:
    """The file of a video among copies of it: the one spelt alike, else one with the same ending.

    Args:
        name: the video.
        spelling: its path in the split file.
        candidates: files with the video's key, relative to the root.
    """
    exact = [path for path in candidates if path == spelling]
    alike = [path for path in candidates if (parse_name(path) or name).copy == name.copy]
    return next(iter([*exact, *alike, *candidates]), None)
