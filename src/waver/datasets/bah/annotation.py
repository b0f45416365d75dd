"""The release's annotation file: frame labels, intervals, certainty, cues and transcript of each video.

Nearly all of its 91 MB are the lists of frames. ``read_annotation`` takes these out of the text where
they have the expected shape, down to the last character, and hands the rest to libyaml; a list of any
other shape stays in and is parsed as YAML like everything else. An entry that is odd costs only itself, and its
problem quotes nothing of it.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from waver.datasets.bah.frame_lists import FrameList, Labels, take_out_frames
from waver.datasets.bah.release_yaml import parse_entries, read_text
from waver.datasets.bah.released_values import (
    MEND,
    MOST_FRAMES,
    Interval,
    certainty,
    cue,
    interval_in_frames,
    interval_in_seconds,
    number_in,
    transcript_record,
    video_label,
)
from waver.datasets.bah.video_names import parse_name
from waver.datasets.bah.yaml_values import Unreadable
from waver.errors import ExcludedItem, WaverError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Annotation:
    """What the annotators said of one video.

    Attributes:
        path: the video's path as the file spells it; file and line where its name cannot be read.
        labels: uint8 [F], 1 where the source frame shows A/H; None where frames are not annotated.
        label: label of the video; None where not given.
        intervals: A/H intervals in source frames, half open; None where not given.
        times: A/H intervals in seconds; None where not given.
        certainty: annotator's certainties, as released.
        cues: annotator's cues, as released.
        transcript: the transcript's record, as released; None where not given.
        problem: why the entry cannot be used; None where it can.
    """

    path: str
    labels: Labels | None = None
    label: int | None = None
    intervals: tuple[Interval, ...] | None = None
    times: tuple[tuple[float, float], ...] | None = None
    certainty: tuple[Any, ...] = ()
    cues: tuple[Any, ...] = ()
    transcript: Any = None
    problem: ExcludedItem | None = field(default=None, compare=False)


def read_annotation(path: Path) -> list[Annotation]:
    """Read the annotation file of a release.

    Args:
        path: ``video_annotation_transcript.yaml``, ``video_annotation.yaml`` or ``annotation.yml``.

    Returns:
        One record a video, in the file's order; a record that cannot be used carries its problem.

    Raises:
        WaverError: the file is not YAML (file and line are named) or holds no table of videos.
    """
    tag = f"!frames-{secrets.token_hex(8)}"  # a file cannot hold it
    text, lists = take_out_frames(read_text(path), tag)
    content = parse_entries(text, path, {tag: lambda number: lists[int(number)]})
    if not isinstance(content, dict):
        raise WaverError(f"{path} holds no table of videos, or is not UTF-8 text; copy it again from the release")
    lines = getattr(content, "lines", {})
    found = [_annotation(video, entry, path.name, lines.get(video, 1)) for video, entry in content.items()]
    log.info("%s: %d videos, %d lists of frames read the fast way", path, len(found), len(lists))
    return found


def _annotation(video: Any, entry: Any, file: str, line: int) -> Annotation:
    name = video if isinstance(video, str) else f"an entry of {file}"
    try:
        if isinstance(entry, Unreadable):
            line = entry.line
            raise ExcludedItem(f"its annotation {entry.reason}", MEND)
        return _fields(name, entry)
    except ExcludedItem as problem:
        excluded = problem
    except (TypeError, ValueError, LookupError, OverflowError, AttributeError) as error:
        log.debug("%s, line %d: %s", file, line, type(error).__name__)
        excluded = ExcludedItem("its annotation cannot be understood", MEND)
    log.warning("%s, line %d: %s", file, line, excluded)
    return Annotation(name, problem=ExcludedItem(f"{file}, line {line}: {excluded.reason}", excluded.remedy))


def _fields(video: str, entry: Any) -> Annotation:
    if not isinstance(entry, dict):
        raise ExcludedItem("its annotation is no table of fields", MEND)
    labels = frame_labels(video, entry.get("frame_annotation"))
    needed = labels is None  # intervals of another shape are superfluous beside frame labels
    return Annotation(
        path=video,
        labels=labels,
        label=video_label(entry.get("global_ah")),
        intervals=_pairs(entry.get("fr_detailed_ah"), interval_in_frames, needed),
        times=_pairs(entry.get("time_detailed_ah"), interval_in_seconds, needed),
        certainty=tuple(map(certainty, _listed(entry.get("certainty_ah")))),
        cues=tuple(map(cue, _listed(entry.get("all_cues")))),
        transcript=transcript_record(entry.get("transcript")),
    )


def _listed(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def frame_labels(video: str, value: Any) -> Labels | None:
    """Labels of a video's frames, in the frames' order.

    Args:
        video: the video's path.
        value: FrameList, or a list of ``[<video>/frame-<i>.jpg, label]``, or None.

    Returns:
        uint8 [F], or None where there is no list.

    Raises:
        ExcludedItem: frames are missing or repeated, belong to another video, or have other labels.
    """
    if value is None or (isinstance(value, list) and not value):
        return None
    found = value if isinstance(value, FrameList) else _slow_frame_list(value)
    if any(not same_video(spelling, video) for spelling in found.videos):
        raise ExcludedItem("its frame annotation names frames of another video", MEND)
    if not np.isin(found.labels, (0, 1)).all():
        raise ExcludedItem("its frame annotation has labels other than 0 and 1", MEND)
    order = np.argsort(found.frames, kind="stable")
    frames = found.frames[order]
    wrong = np.flatnonzero(frames - frames[0] != np.arange(len(frames)))
    if frames[0] not in (0, 1) or len(wrong):
        at = int(wrong[0]) if len(wrong) else 0
        raise ExcludedItem(f"its frame annotation lacks or repeats frames (at {at})", MEND)
    return found.labels[order]


def _slow_frame_list(value: Any) -> FrameList:
    try:
        paths, labels = zip(*value, strict=True)
    except (TypeError, ValueError) as error:
        raise ExcludedItem("its frame annotation is no list of pictures and labels", MEND) from error
    parts = [str(path).rpartition("/") for path in paths]
    try:
        frames = [number_in(name.removeprefix("frame-").rpartition(".")[0], 0, MOST_FRAMES) for *_, name in parts]
    except ValueError as error:
        raise ExcludedItem(f"its frame annotation has a frame with no number from 0 to {MOST_FRAMES}", MEND) from error
    if any(str(label) not in ("0", "1") for label in labels):
        raise ExcludedItem("its frame annotation has labels other than 0 and 1", MEND)
    truth = np.array([int(label) for label in labels], np.uint8)
    return FrameList(frozenset(video for video, *_ in parts), np.array(frames, np.int64), truth)


def same_video(one: str, other: str) -> bool:
    """Whether two paths are spellings of one video."""
    left, right = parse_name(one), parse_name(other)
    return one == other if left is None or right is None else left.key == right.key


def same_content(one: Annotation, other: Annotation) -> bool:
    """Whether two records say the same of a video, however they spell it."""
    if one.problem is not None or other.problem is not None:
        return False
    left, right = (replace(record, path="", labels=None) for record in (one, other))
    if one.labels is None or other.labels is None:
        return left == right and one.labels is other.labels
    return left == right and np.array_equal(one.labels, other.labels)


def _pairs(value: Any, convert: Callable[[Any, Any], Any], needed: bool) -> Any:
    """Converted pairs; None where there are none, or where they have another shape and are not needed."""
    if value is None:
        return None
    try:
        pairs = [value] if value and not isinstance(value[0], list | tuple) else value  # one pair, not in a list
        return tuple(convert(*pair) for pair in pairs if pair)
    except (TypeError, LookupError) as error:
        problem = ExcludedItem("the intervals of its annotation are no list of pairs", MEND)
        if needed:
            raise problem from error
    except ExcludedItem as odd:
        if needed or _all_numbers(value):
            raise
        problem = odd
    log.warning("intervals beside frame labels are not used: %s", problem.reason)
    return None


def _all_numbers(value: Any) -> bool:
    parts = [value]
    while parts:
        part = parts.pop()
        if isinstance(part, list | tuple):
            parts += part
        elif not isinstance(part, int | float):
            return False
    return True
