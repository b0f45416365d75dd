"""What the split files list, what the annotation speaks of, and what lies on the disk: one against the other.

Every function appends what does not fit to ``exclusions``, rows of the table of excluded items.
"""

from __future__ import annotations

import logging
from collections.abc import Set

from waver.datasets.bah.annotation import Annotation, read_annotation, same_content
from waver.datasets.bah.frame_labels import FrameSources
from waver.datasets.bah.frame_lists import Labels
from waver.datasets.bah.layouts import Layout
from waver.datasets.bah.released_values import Interval
from waver.datasets.bah.splits import (
    Entry,
    check_disjoint,
    read_classes,
    read_frame_split,
    read_segment_table,
    read_split,
)
from waver.datasets.bah.video_names import PATTERN, parse_name
from waver.datasets.exclusions import Row, exclusion_row
from waver.errors import ExcludedItem, WaverError

log = logging.getLogger(__name__)


def read_entries(found: Layout, refused: set[str], exclusions: list[Row]) -> list[Entry]:
    """Everything the video-level split files list.

    Args:
        found: files of the release.
        refused: gets the keys of videos whose line cannot be used.
        exclusions: gets a row for each line that cannot be used.

    Raises:
        WaverError: they list no video, or a participant in more than one split.
    """
    classes = read_classes(found.classes)
    entries: list[Entry] = []
    for split, path in found.splits.items():
        listed, bad = read_split(path, split, classes, found.root, refused)
        entries += listed
        exclusions += bad
    if not entries:
        raise WaverError(f"no line of {', '.join(map(str, found.splits.values()))} names a video ({PATTERN})")
    check_disjoint(entries)
    return entries


def match_annotations(
    found: Layout, entries: list[Entry], refused: Set[str], exclusions: list[Row]
) -> dict[str, Annotation]:
    """Annotation by key of the video; those of videos nobody knows are excluded.

    Args:
        found: files of the release.
        entries: what the split files list.
        refused: keys of videos whose line in the split files cannot be used, and is excluded already.
        exclusions: gets a row for each that is excluded.
    """
    if found.annotation is None:
        log.warning("no annotation file below %s: certainty and cues stay empty", found.root)
        return {}
    known = {entry.name.key for entry in entries}
    known |= {name.key for name in map(parse_name, found.videos) if name} | refused
    by_key: dict[str, Annotation] = {}
    for annotation in read_annotation(found.annotation):
        name = parse_name(annotation.path)
        if name is not None and name.key in known:
            first = by_key.setdefault(name.key, annotation)
            if first is not annotation and not same_content(first, annotation):
                problem = ExcludedItem("its annotation is there twice, with different content", "keep one of the two")
                by_key[name.key] = Annotation(first.path, problem=problem)
            continue
        item, participant = (name.video, name.participant) if name else (annotation.path, None)
        reason = "annotation of a video that no split file lists"
        remedy = f"add the video to a split file, or ignore this entry of {found.annotation.name}"
        exclusions.append(exclusion_row(item, reason, remedy, participant, annotation.path))
    return by_key


def first_of_each(entries: list[Entry], exclusions: list[Row]) -> list[Entry]:
    """One entry a participant and question, the first that is listed."""
    first: dict[str, Entry] = {}
    for entry in entries:
        kept = first.setdefault(entry.name.video, entry)
        if kept is not entry:
            same = kept.name.key == entry.name.key
            reason = "listed twice" if same else "a second answer of this participant to the same question"
            remedy = "keep one of its lines in the split files"
            exclusions.append(exclusion_row(entry.name.video, reason, remedy, entry.name.participant, entry.path))
    return sorted(first.values(), key=lambda entry: (entry.name.participant, entry.name.question))


def frame_sources(
    found: Layout, entries: list[Entry], annotations: dict[str, Annotation], exclusions: list[Row]
) -> FrameSources:
    """Frame labels beside the annotation, read only where a video needs them."""
    bare = [entry for entry in entries if not _has_labels(annotations.get(entry.name.key))]
    if not bare:
        return FrameSources()
    classes = read_classes(found.classes)
    frame_splits: dict[str, Labels] = {}
    for path in found.frame_splits.values():
        frame_splits |= read_frame_split(path, classes)
    segments: dict[str, tuple[list[Interval], int]] = {}
    for path in found.segments.values():
        segments |= read_segment_table(path, exclusions)
    return FrameSources(frame_splits, segments)


def _has_labels(annotation: Annotation | None) -> bool:
    return annotation is not None and (annotation.labels is not None or annotation.problem is not None)
