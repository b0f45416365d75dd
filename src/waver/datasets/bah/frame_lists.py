"""The lists of frames of an annotation file, taken out of its text before the rest is parsed as YAML."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.uint8]

_LIST_HEAD = re.compile(r"^( +)(['\"]?)frame_annotation\2:[ ]*\n", re.MULTILINE)
_FIRST_FRAME = re.compile(r"/frame-(?=[0-9])")
_OPENING = "-[ \t\n"
_TUPLE = "!!python/tuple"
# nothing in it is tried in two ways (possessive quantifiers), so that time grows with the text alone
_ITEM = re.compile(
    r"\s*+-\s(?:\s*+!!python/tuple\s)?+\s*+(?:\[|-\s)\s*+(['\"]?)\0([0-9]{1,9})\.jpe?g"
    r"\1(?:\s*+,\s*+([01])\s*+\]|[^\S\n]*+\n\s*+-\s++([01]))[ ]*+\n"
)
_ITEMS = re.compile(f"(?:{_ITEM.pattern})++")


@dataclass(frozen=True)
class FrameList:
    """The list of frames of one video as written: spellings of the video, frame numbers, labels."""

    videos: frozenset[str]
    frames: npt.NDArray[np.int64]
    labels: Labels


def take_out_frames(text: str, tag: str) -> tuple[str, list[FrameList]]:
    """The text with a numbered tag for every list of frames, as many lines as before for messages, and the lists.

    Args:
        text: the annotation file, without control characters.
        tag: stands for a list, with its number.
    """
    pieces: list[str] = []
    lists: list[FrameList] = []
    done, searched = 0, 0
    for head in _LIST_HEAD.finditer(text):
        if head.start() < searched:  # inside a list that has another shape
            continue
        # the list ends where something stands as far left as its key, and is no item
        after = _after_list(len(head[1])).search(text, head.end() - 1)
        end = searched = after.end() if after else len(text)
        frames = _frame_list(text[head.end() : end])
        if frames is not None:
            lines = text.count("\n", head.start(), end)
            pieces += [text[done : head.start()], f"{head[1]}frame_annotation: {tag} {len(lists)}", "\n" * lines]
            lists.append(frames)
            done = end
    return "".join([*pieces, text[done:]]), lists


def _after_list(indent: int) -> re.Pattern[str]:
    return re.compile(rf"\n(?= {{0,{indent}}}[^\s-])")


def _frame_list(block: str) -> FrameList | None:
    first = _first_video(block)
    if first is None:
        return None
    # nine tenths of the text is the video's path, again and again
    short = block.replace(first, "\0").rstrip() + "\n"
    if not _ITEMS.fullmatch(short):
        return None
    _, frames, flow, after_dash = zip(*_ITEM.findall(short), strict=True)
    labels = np.array([a or b for a, b in zip(flow, after_dash, strict=True)]).astype(np.uint8)
    video = " ".join(first.removesuffix("/frame-").split())
    return FrameList(frozenset([video]), np.array(frames).astype(np.int64), labels)


def _first_video(block: str) -> str | None:
    """The path of the first picture, up to its number; None where it has another shape."""
    found = _FIRST_FRAME.search(block)
    if found is None:
        return None
    head = block[: found.end()].lstrip(_OPENING)
    head = head.removeprefix(_TUPLE).lstrip(_OPENING) if head.startswith(_TUPLE) else head
    path = head[1:] if head[:1] in ("'", '"') else head
    return None if path == "/frame-" or any(c in path for c in ",[]'\"#:\0") else path
