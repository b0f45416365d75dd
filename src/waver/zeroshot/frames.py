"""The pictures of a video's windows, decoded once: full frames by their presentation time, or the stored faces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from waver.errors import ExcludedItem
from waver.features.clock import FrameClock
from waver.features.video import Decoding, Picture, decode_in_worker
from waver.io.zarr_store import open_store
from waver.zeroshot.families.base import Pictures
from waver.zeroshot.windows import Window

GREY = 128


def full_frames(path: Path, clock: FrameClock, cut: Sequence[Window]) -> Iterator[tuple[Window, Pictures]]:
    """Whole pictures of windows in their order, of one pass over the video.

    In the place of a frame that cannot be decoded stands the one before it.

    Args:
        path: the video.
        clock: of the same file.
        cut: windows, by their start.

    Raises:
        ExcludedItem: no frame can be decoded.
    """
    sources = [clock.source_frame[window.frames] for window in cut]
    needed = np.unique(np.concatenate(sources)) if sources else np.zeros(0, np.int32)
    decoded = decode_in_worker(path, clock.probe, needed, Decoding())
    yield from _windows(decoded, cut, sources)


def _windows(
    decoded: Iterable[tuple[int, Picture]], cut: Sequence[Window], sources: Sequence[np.typing.NDArray[np.int32]]
) -> Iterator[tuple[Window, Pictures]]:
    held: dict[int, Picture] = {}
    place = 0
    for number, picture in decoded:
        held[number] = picture
        while place < len(cut) and number >= sources[place][-1]:
            yield cut[place], _held(held, sources[place])
            place += 1
            least = int(sources[place][0]) if place < len(cut) else number
            before = max((one for one in held if one <= least), default=least)
            held = {one: kept for one, kept in held.items() if one >= before}
    if not held and place < len(cut):
        raise ExcludedItem(
            "no video frame can be decoded", "play it in a video player; if it does not play, copy it again"
        )
    for later in range(place, len(cut)):
        yield cut[later], _held(held, sources[later])


def _held(held: dict[int, Picture], wanted: np.typing.NDArray[np.int32]) -> Pictures:
    first = min(held)
    return np.stack([held[max((one for one in held if one <= number), default=first)] for number in wanted])


def faces(store: Path, cut: Sequence[Window]) -> Iterator[tuple[Window, Pictures]]:
    """Aligned faces of windows, of a store of faces."""
    images = open_store(store)["image"]
    for window in cut:
        yield window, np.stack([images[int(frame)] for frame in window.frames])


def grey_frames(number: int, side: int = 64) -> Pictures:
    """Pictures of nothing, uint8 [number, side, side, 3]."""
    return np.full((number, side, side, 3), GREY, np.uint8)
