"""The release's annotation file: frame labels, intervals, certainty, cues and transcript of each video.

Nearly all of its 91 MB are the lists of frames. ``read_annotation`` takes these out of the text where
they have the expected shape, down to the last character, and hands the rest to libyaml; a list of any
other shape stays in and is parsed as YAML like everything else.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from waver.data.names import parse_name
from waver.data.yamlfile import ReleaseLoader, parse_yaml, read_text
from waver.errors import SetAside, WaverError

log = logging.getLogger(__name__)

Labels = npt.NDArray[np.uint8]
Interval = tuple[int, int]

_LIST_HEAD = re.compile(r"^( +)(['\"]?)frame_annotation\2:[ ]*\n", re.MULTILINE)
_FIRST_VIDEO = re.compile(r"[-\s\[]*(?:!!python/tuple\s)?[-\s\[]*['\"]?([^,\[\]'\"#:]+?/frame-)\d")
_ITEM = re.compile(
    r"\s*-\s(?:\s*!!python/tuple\s)?\s*(?:\[|-\s)\s*(['\"]?)\0(\d+)\.jpe?g"
    r"\1(?:\s*,\s*([01])\s*\]|\s*\n\s*-\s+([01]))[ ]*\n"
)
_TAG = "!waver/frames"
_MEND = "mend the video's entry, or copy the file again from the release"


@dataclass(frozen=True)
class FrameList:
    """The list of frames of one video as written: spellings of the video, frame numbers, labels."""

    videos: frozenset[str]
    frames: npt.NDArray[np.int64]
    labels: Labels


@dataclass(frozen=True)
class Annotation:
    """What the annotators said of one video.

    Attributes:
        path: the video's path as the file spells it.
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
    problem: SetAside | None = field(default=None, compare=False)


def read_annotation(path: Path) -> list[Annotation]:
    """Read the annotation file of a release.

    Args:
        path: ``video_annotation_transcript.yaml``, ``video_annotation.yaml`` or ``annotation.yml``.

    Returns:
        One record a video, in the file's order; a record that cannot be used carries its problem.

    Raises:
        WaverError: the file is not YAML (file and line are named) or holds no table of videos.
    """
    text, lists = _take_out_frames(read_text(path))

    class Loader(ReleaseLoader):
        pass

    Loader.add_constructor(_TAG, lambda loader, node: lists[int(loader.construct_scalar(node))])
    content = parse_yaml(text, path, Loader)
    if not isinstance(content, dict):
        raise WaverError(f"{path} holds no table of videos; copy it again from the release")
    log.info("%s: %d videos, %d lists of frames read the fast way", path, len(content), len(lists))
    return [_annotation(str(video), entry) for video, entry in content.items()]


def _take_out_frames(text: str) -> tuple[str, list[FrameList]]:
    """The text with a numbered tag for every list of frames; as many lines as before, for messages."""
    pieces: list[str] = []
    lists: list[FrameList] = []
    done = 0
    for head in _LIST_HEAD.finditer(text):
        # the list ends where something stands as far left as its key, and is no item
        after = _after_list(len(head[1])).search(text, head.end() - 1)
        end = after.end() if after else len(text)
        frames = _frame_list(text[head.end() : end])
        if frames is not None:
            lines = text.count("\n", head.start(), end)
            pieces += [text[done : head.start()], f"{head[1]}frame_annotation: {_TAG} {len(lists)}", "\n" * lines]
            lists.append(frames)
            done = end
    return "".join([*pieces, text[done:]]), lists


def _after_list(indent: int) -> re.Pattern[str]:
    return re.compile(rf"\n(?= {{0,{indent}}}[^\s-])")


def _frame_list(block: str) -> FrameList | None:
    first = _FIRST_VIDEO.match(block)
    if first is None:
        return None
    # nine tenths of the text is the video's path, again and again
    short = block.replace(first[1], "\0")
    items = _ITEM.findall(short if short.endswith("\n") else short + "\n")
    if not items or _ITEM.sub("", short).strip():
        return None
    _, frames, flow, after_dash = zip(*items, strict=True)
    labels = np.array([a or b for a, b in zip(flow, after_dash, strict=True)]).astype(np.uint8)
    video = " ".join(first[1].removesuffix("/frame-").split())
    return FrameList(frozenset([video]), np.array(frames).astype(np.int64), labels)


def _annotation(video: str, entry: Any) -> Annotation:
    try:
        return _fields(video, entry)
    except SetAside as problem:
        return Annotation(video, problem=problem)
    except (TypeError, ValueError, KeyError) as error:
        return Annotation(video, problem=SetAside(f"its annotation cannot be understood ({error})", _MEND))


def _fields(video: str, entry: Any) -> Annotation:
    if not isinstance(entry, dict):
        raise SetAside("its annotation is no table of fields", _MEND)
    labels = frame_labels(video, entry.get("frame_annotation"))
    needed = labels is None  # what frame labels make superfluous may be odd
    return Annotation(
        path=video,
        labels=labels,
        label=video_label(entry.get("global_ah")),
        intervals=_pairs(entry.get("fr_detailed_ah"), _frames, needed),
        times=_pairs(entry.get("time_detailed_ah"), _seconds, needed),
        certainty=_listed(entry.get("certainty_ah")),
        cues=_listed(entry.get("all_cues")),
        transcript=entry.get("transcript"),
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
        SetAside: frames are missing or repeated, belong to another video, or have other labels.
    """
    if value is None or (isinstance(value, list) and not value):
        return None
    found = value if isinstance(value, FrameList) else _slow_frame_list(value)
    if any(not same_video(spelling, video) for spelling in found.videos):
        raise SetAside("its frame annotation names frames of another video", _MEND)
    if not np.isin(found.labels, (0, 1)).all():
        raise SetAside("its frame annotation has labels other than 0 and 1", _MEND)
    order = np.argsort(found.frames, kind="stable")
    frames = found.frames[order]
    wrong = np.flatnonzero(frames - frames[0] != np.arange(len(frames)))
    if frames[0] > 1 or len(wrong):
        at = int(wrong[0]) if len(wrong) else 0
        raise SetAside(f"its frame annotation lacks or repeats frames (at {at})", _MEND)
    return found.labels[order]


def _slow_frame_list(value: Any) -> FrameList:
    paths, labels = zip(*value, strict=True)
    parts = [str(path).rpartition("/") for path in paths]
    frames = [int(name.removeprefix("frame-").rpartition(".")[0]) for *_, name in parts]
    return FrameList(frozenset(video for video, *_ in parts), np.array(frames), np.array(labels).astype(np.uint8))


def same_video(one: str, other: str) -> bool:
    """Whether two paths are spellings of one video."""
    left, right = parse_name(one), parse_name(other)
    return one == other if left is None or right is None else left.key == right.key


def video_label(value: Any) -> int | None:
    """0 or 1 from a released label, None from nothing.

    Raises:
        ValueError: it is neither.
    """
    if value is None or value == "":
        return None
    label = int(value)
    if label not in (0, 1):
        raise ValueError(f"label {label} is neither 0 nor 1")
    return label


def _pairs(value: Any, convert: Callable[[Any, Any], Any], needed: bool) -> Any:
    """Converted pairs; None where there are none, or where they are odd and not needed."""
    if value is None:
        return None
    try:
        pairs = [value] if value and not isinstance(value[0], list | tuple) else value  # one pair, not in a list
        return tuple(convert(*pair) for pair in pairs if pair)
    except (TypeError, ValueError, KeyError):
        if needed:
            raise
        return None


def _frames(first: Any, last: Any) -> Interval:
    # taken as inclusive, as in the published segment tables; frame labels, where there are any, decide
    if int(last) < int(first):
        raise ValueError(f"interval {first} to {last} ends before it starts")
    return int(first), int(last) + 1


def _seconds(start: Any, end: Any) -> tuple[float, float]:
    return _one_time(start), _one_time(end)


def _one_time(value: Any) -> float:
    """Seconds from a number or from ``HH:MM:SS.mmm``."""
    total = 0.0
    for part in str(value).split(":"):
        total = total * 60 + float(part)
    return total
