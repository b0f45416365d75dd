"""What the split files list, what the annotation speaks of, and what lies on the disk: one against the other.

Every function appends what does not fit to ``asides``, rows of the table of what was set aside.
"""

from __future__ import annotations

import logging
from collections import defaultdict

from waver.data.annotation import Annotation, Labels, read_annotation
from waver.data.aside import Row, aside
from waver.data.layouts import Layout
from waver.data.names import PATTERN, VideoName, parse_name
from waver.data.splits import (
    Entry,
    check_disjoint,
    read_classes,
    read_frame_split,
    read_segment_table,
    read_split,
)
from waver.data.truth import FrameSources
from waver.errors import WaverError

log = logging.getLogger(__name__)


def read_entries(found: Layout, asides: list[Row]) -> list[Entry]:
    """Everything the video-level split files list.

    Raises:
        WaverError: they list no video, or a participant in more than one split.
    """
    classes = read_classes(found.classes)
    entries: list[Entry] = []
    for split, path in found.splits.items():
        listed, bad = read_split(path, split, classes, found.root)
        entries += listed
        asides += bad
    if not entries:
        raise WaverError(f"no line of {', '.join(map(str, found.splits.values()))} names a video ({PATTERN})")
    check_disjoint(entries)
    return entries


def match_annotations(found: Layout, entries: list[Entry], asides: list[Row]) -> dict[str, Annotation]:
    """Annotation by key of the video; those of videos nobody knows are set aside."""
    if found.annotation is None:
        log.warning("no annotation file below %s: certainty and cues stay empty", found.root)
        return {}
    known = {entry.name.key for entry in entries}
    known |= {name.key for name in map(parse_name, found.videos) if name}
    by_key: dict[str, Annotation] = {}
    for annotation in read_annotation(found.annotation):
        name = parse_name(annotation.path)
        if name is not None and name.key in known:
            by_key.setdefault(name.key, annotation)
            continue
        item, participant = (name.video, name.participant) if name else (annotation.path, None)
        reason = "annotation of a video that no split file lists"
        remedy = f"add the video to a split file, or ignore this entry of {found.annotation.name}"
        asides.append(aside(item, reason, remedy, participant, annotation.path))
    return by_key


def match_files(found: Layout, entries: list[Entry], asides: list[Row]) -> dict[str, str]:
    """Video file of each entry, by the entry's path; files that no entry takes are set aside."""
    by_key: dict[str, list[str]] = defaultdict(list)
    for path in found.videos:
        name = parse_name(path)
        if name is None:
            remedy = f"rename it to {PATTERN}, or move it elsewhere"
            asides.append(aside(path, "the file's name does not follow the release", remedy, path=path))
        else:
            by_key[name.key].append(path)
    located = {entry.path: _choose(entry.name, entry.path, by_key.get(entry.name.key, [])) for entry in entries}
    taken = {path for path in located.values() if path}
    listed, answered = {entry.name.key for entry in entries}, {entry.name.video for entry in entries}
    for path in sorted(set().union(*by_key.values()) - taken):
        name = parse_name(path)
        assert name is not None
        reason, remedy = "no split file lists this video", "add it to a split file, or move it elsewhere"
        if name.key in listed:
            reason, remedy = "another copy of a recording that is already there", "delete this copy"
        elif name.video in answered:
            reason = "another recording of the same participant and question than the one the split file lists"
        asides.append(aside(name.video, reason, remedy, name.participant, path))
    return {entry: path for entry, path in located.items() if path}


def first_of_each(entries: list[Entry], asides: list[Row]) -> list[Entry]:
    """One entry a participant and question, the first that is listed."""
    first: dict[str, Entry] = {}
    for entry in entries:
        kept = first.setdefault(entry.name.video, entry)
        if kept is not entry:
            same = kept.name.key == entry.name.key
            reason = "listed twice" if same else "a second answer of this participant to the same question"
            remedy = "keep one of its lines in the split files"
            asides.append(aside(entry.name.video, reason, remedy, entry.name.participant, entry.path))
    return sorted(first.values(), key=lambda entry: (entry.name.participant, entry.name.question))


def frame_sources(found: Layout, entries: list[Entry], annotations: dict[str, Annotation]) -> FrameSources:
    """Frame labels beside the annotation, read only where a video needs them."""
    bare = [entry for entry in entries if not _has_labels(annotations.get(entry.name.key))]
    if not bare:
        return FrameSources()
    classes = read_classes(found.classes)
    frame_splits: dict[str, Labels] = {}
    for path in found.frame_splits.values():
        frame_splits |= read_frame_split(path, classes)
    segments = {key: value for path in found.segments.values() for key, value in read_segment_table(path).items()}
    return FrameSources(frame_splits, segments)


def _has_labels(annotation: Annotation | None) -> bool:
    return annotation is not None and (annotation.labels is not None or annotation.problem is not None)


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
