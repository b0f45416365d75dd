"""Where the releases keep their files.

``bah300`` is the release of 300 participants, ``bah224`` the first of 224 (also its public split files
without any video), ``abaw8`` the subset of the ABAW-8 challenge. Copies of the split files lie in
several places, depending on who unpacked them for which program.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from waver.datasets.absent_files import ALLOW
from waver.datasets.bah.video_names import parse_name
from waver.datasets.base import SPLITS
from waver.datasets.inventory import VIDEO_SUFFIXES, FoundFile
from waver.errors import WaverError

log = logging.getLogger(__name__)

LayoutName = Literal["bah300", "bah224", "abaw8"]

_ANNOTATION: dict[LayoutName, tuple[str, ...]] = {
    "bah300": ("video_annotation_transcript.yaml", "video_annotation.yaml"),
    "bah224": ("video_annotation.yaml", "video_annotation_transcript.yaml"),
    "abaw8": ("annotation.yml", "annotation.yaml"),
}
OTHER_SUFFIXES = tuple(suffix for suffix in VIDEO_SUFFIXES if suffix != ".mp4")
_SPLIT_FILES = (
    "split/{split}.txt",
    "splits/{split}.txt",
    "split-0/{split}.txt",
    "folds/split-0/{split}.txt",
    "folds/fold-0/{split}.txt",
    "folds/BAH_DB/split-0/{split}.txt",
    "folds/BAH_DB/fold-0/{split}.txt",
    "folds/video-level/BAH_DB/split-0/{split}.txt",
    "dataset-splits/split-0/{split}.txt",
    "dataset-splits/BAH_DB/split-0/{split}.txt",
    "dataset-splits/video-level/BAH_DB/split-0/{split}.txt",
    "video_level_{split}.txt",
    "{split}.txt",
)
_FRAME_SPLIT_FILES = (
    "split-frames/{split}.txt",
    "folds/frame-level/BAH_DB/split-0/{split}.txt",
    "dataset-splits/frame-level/BAH_DB/split-0/{split}.txt",
    "frame_level_{split}.txt",
)
_SEGMENT_FILES = ("segments_{split}.csv", "segments/{split}.csv")
_METADATA = ("meta_data.yml", "meta_data.yaml", "metadata.yml", "metadata.yaml")


@dataclass(frozen=True)
class Layout:
    """The files of a release that were found; a path that was not is None or absent.

    Attributes:
        name: bah300, bah224 or abaw8.
        root: folder of the release.
        splits: split -> video-level split file.
        frame_splits: split -> frame-level split file.
        segments: split -> published segment table.
        annotation: the annotation file.
        metadata: what participants told and allowed.
        classes: names of the classes.
        videos: MP4 files, relative to the root.
        others: video files with other suffixes, relative to the root.
        transcripts: key of the video -> its transcript file, relative to the root.
    """

    name: LayoutName
    root: Path
    splits: dict[str, Path]
    frame_splits: dict[str, Path]
    segments: dict[str, Path]
    annotation: Path | None
    metadata: Path | None
    classes: Path | None
    videos: tuple[str, ...]
    others: tuple[str, ...]
    transcripts: dict[str, str]


def find_layout(root: Path, layout: str, files: list[FoundFile], unreadable: Sequence[str] = ()) -> Layout:
    """Find a release's files.

    Args:
        root: folder of the release.
        layout: bah300, bah224, abaw8, or auto to look.
        files: what ``scan`` found below the root.
        unreadable: folders in which it could not look.

    Raises:
        WaverError: there is no split file, or what has the name of a file of the release is none.
    """
    there = {file.path for file in files}
    name = _detect(there) if layout == "auto" else _known(layout)
    _check_files(root, there, name)
    found = Layout(
        name=name,
        root=root,
        splits=_by_split(root, there, _SPLIT_FILES),
        frame_splits=_by_split(root, there, _FRAME_SPLIT_FILES),
        segments=_by_split(root, there, _SEGMENT_FILES),
        annotation=_first(root, there, _ANNOTATION[name]),
        metadata=_first(root, there, _METADATA),
        classes=next((root / path for path in sorted(there) if path.rpartition("/")[2] == "class_id.yaml"), None),
        videos=tuple(sorted(path for path in there if path.lower().endswith(".mp4"))),
        others=tuple(sorted(path for path in there if path.lower().endswith(OTHER_SUFFIXES))),
        transcripts=_transcript_files(there),
    )
    if not found.splits:
        if unreadable:
            raise WaverError(f"no split files below {root}, where {unreadable[0]}/ cannot be read; {ALLOW}")
        raise WaverError(
            f"no split files below {root}; put train.txt, val.txt and test.txt of the release into {root}/split/"
        )
    for split in SPLITS:
        log.info("%s: %s split from %s", name, split, found.splits.get(split, "no file"))
    return found


def _detect(there: set[str]) -> LayoutName:
    if not there.isdisjoint(_ANNOTATION["abaw8"]):
        return "abaw8"
    newer = {"video_annotation_transcript.yaml", *(f"split/{split}.txt" for split in SPLITS)}
    return "bah224" if there.isdisjoint(newer) else "bah300"


def _known(layout: str) -> LayoutName:
    for name in _ANNOTATION:
        if name == layout:
            return name
    raise WaverError(f"unknown layout {layout!r} in the config; take auto, {', '.join(_ANNOTATION)}")


def _check_files(root: Path, there: set[str], name: LayoutName) -> None:
    """Refuse what has a name of the release's own files and is none: without it labels or consent would be lacking."""
    templates = (*_SPLIT_FILES, *_FRAME_SPLIT_FILES, *_SEGMENT_FILES)
    own = {*_ANNOTATION[name], *_METADATA, *(path.format(split=split) for path in templates for split in SPLITS)}
    paths = [root / path for path in sorted(own - there)]
    odd = next((path for path in paths if os.path.lexists(path) and not path.is_file()), None)
    if odd is not None:
        what = "is no file" if odd.exists() else "is a link that leads nowhere"
        raise WaverError(f"{odd} {what}; put the release's file in its place, or take it away if it is not needed")


def _first(root: Path, there: set[str], candidates: Iterable[str]) -> Path | None:
    return next((root / path for path in candidates if path in there), None)


def _by_split(root: Path, there: set[str], templates: Iterable[str]) -> dict[str, Path]:
    """Files of the first place that has any: two releases' lists are never mixed."""
    for template in templates:
        found = {split: template.format(split=split) for split in SPLITS}
        if not there.isdisjoint(found.values()):
            return {split: root / path for split, path in found.items() if path in there}
    return {}


def _transcript_files(there: set[str]) -> dict[str, str]:
    """One file in a folder that is named like the video, ``.mp4`` and all."""
    found: dict[str, str] = {}
    for path in sorted(there):
        folder, _, name = path.rpartition("/")
        video = parse_name(folder) if name.lower().endswith((".yml", ".yaml")) else None
        if video is not None:
            found.setdefault(video.key, path)
    return found
