"""Opening a recording from outside: what a file may be, before libraries spend time and memory on what it claims.

FFmpeg believes a file's own counts. A file of two kilobytes that claims 30 million frames takes two gigabytes; one
whose last frame stands at 10^8 s makes a timeline of billions of slots; and a list of other files with the name of a
video is read as if those were this one.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
import numpy.typing as npt

from waver.errors import ExcludedItem

LONGEST_S = 4 * 3600
_SPARSE_FROM_S = 60.0
_LEAST_FPS = 1.0
MOST_HOLE_S = 60.0
"""Time without a frame and without sound."""
_MOST_BACK_S = 5.0
_MOST_REORDERED = 32
"""Frames are stored in another order than they are shown in, but not by more places than this."""
MOST_PIXELS = 40_000_000
"""Pixels of a picture; 8K has 33 million."""
_MANY_PIXELS = 500_000_000
_PIXELS_PER_BYTE = 50_000
"""A recording has some hundred; only beyond ``_MANY_PIXELS`` of all frames together."""
LEAST_RATE_HZ = 4000
MOST_RATE_HZ = 400_000
"""Samples of sound per second."""

_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,live_flv,asf,ogg,h264,hevc,m4v,ivf,dv,mxf,"
    "gif,mjpeg,rm,wtv,nut"
)
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
_WITHIN = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"})
_COUNTS = {b"stsz": 8, b"stz2": 8, b"trun": 4}
"""Boxes that count frames or samples, and where in the box the count stands."""
_MOST_BOXES = 100_000
Times = npt.NDArray[np.float64]

_NEW_TIMES = "cut it at the jump, or write it anew with a tool that corrects its times"
_CHECK = "play it to the end in a video player; if it does not play, copy it again from its source"


def open_container(path: str | Path) -> Any:
    """A container that FFmpeg reads, which refers to no other file.

    Raises:
        ExcludedItem: the file's index lists more frames than the file has bytes.
        OSError, av.error.FFmpegError: it cannot be opened.
    """
    with open(path, "rb") as stream:
        _check_index(stream)
    # a title in another encoding says nothing against the picture
    return av.open(str(path), metadata_errors="replace", container_options=_OPTIONS)


def limit_picture(stream: Any) -> None:
    """Refuse a video stream whose picture is too large, and later pictures of it as well.

    Raises:
        ExcludedItem: its picture has too many pixels, or is in no known codec.
    """
    context = stream.codec_context
    if context is None:
        raise ExcludedItem("its picture is in a codec that is not known", "convert it to a usual codec")
    check_size(context.width, context.height)
    context.options = {"max_pixels": str(MOST_PIXELS)}


def check_size(width: int, height: int) -> None:
    """Refuse a picture with more than ``MOST_PIXELS``.

    Raises:
        ExcludedItem: it has more.
    """
    if width * height > MOST_PIXELS:
        raise ExcludedItem(f"its picture has {width} x {height} pixels", "convert it to a usual size")


def check_length(frames: int, end_s: float) -> None:
    """Refuse a recording that is longer than a person speaks, or has hardly a frame.

    Args:
        frames: displayed frames.
        end_s: end of the last, seconds after the first.

    Raises:
        ExcludedItem: it is.
    """
    if end_s > LONGEST_S:
        raise ExcludedItem(f"its last frame ends at {end_s:.0f} s, after more than {LONGEST_S} s", _CHECK)
    if end_s > _SPARSE_FROM_S and frames < end_s * _LEAST_FPS:
        raise ExcludedItem(f"it shows {frames} frames in {end_s:.0f} s", _CHECK)


def check_jumps(times_s: Times, sound_s: Times) -> None:
    """Refuse a recording whose time stamps jump: what is before and after a jump has no common clock.

    A picture that stands still while the sound goes on is none (a camera that is off).

    Args:
        times_s: of the displayed frames, in the order of the file, seconds.
        sound_s: starts of the sound's packets, seconds.

    Raises:
        ExcludedItem: they do.
    """
    back_s = float((np.maximum.accumulate(times_s) - times_s).max())
    order = np.argsort(times_s, kind="stable")
    if back_s > _MOST_BACK_S and np.abs(order - np.arange(len(order))).max() > _MOST_REORDERED:
        raise ExcludedItem(f"its time stamps jump back by {back_s:.0f} s", _NEW_TIMES)
    in_order = times_s[order]
    for number in np.flatnonzero(np.diff(in_order) > MOST_HOLE_S):
        start_s, end_s = in_order[number : number + 2]
        if not sound_goes_on(start_s, end_s, sound_s):
            raise ExcludedItem(f"its time stamps jump by {end_s - start_s:.0f} s", _NEW_TIMES)


def sound_goes_on(start_s: float, end_s: float, sound_s: Times) -> bool:
    """Whether there is sound in most of the seconds of a span without frames."""
    within = sound_s[(sound_s >= start_s) & (sound_s < end_s)]
    return len(np.unique((within - start_s).astype(np.int64))) > (end_s - start_s) / 2


def check_cost(frames: int, width: int, height: int, size: int) -> None:
    """Refuse a file that holds more picture than its bytes can.

    Args:
        frames: displayed frames.
        width: pixels.
        height: pixels.
        size: of the file, bytes.

    Raises:
        ExcludedItem: it does.
    """
    pixels = frames * width * height
    if pixels > _MANY_PIXELS and pixels > _PIXELS_PER_BYTE * size:
        raise ExcludedItem(f"its {size} bytes cannot hold {frames} frames of {width} x {height} pixels", _CHECK)


def check_rate(rate_hz: int) -> None:
    """Refuse sound that is none of a microphone.

    Raises:
        ExcludedItem: it has too few or too many samples a second.
    """
    if not LEAST_RATE_HZ <= rate_hz <= MOST_RATE_HZ:
        raise ExcludedItem(f"its sound has {rate_hz} samples a second", "convert its sound; audio and words stay empty")


def _check_index(stream: BinaryIO) -> None:
    """Refuse an MP4 or QuickTime file whose boxes count more frames than it has bytes.

    Raises:
        ExcludedItem: they do, or there are endlessly many boxes.
    """
    size = os.fstat(stream.fileno()).st_size
    if _head(stream, 0)[1] not in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"sidx", b"moof"):
        return
    spans, boxes = [(0, size)], 0
    while spans:
        at, end = spans.pop()
        while at + 8 <= end:
            length, kind, content = _head(stream, at)
            length = length or end - at
            boxes += 1
            if length < 8 or boxes > _MOST_BOXES:
                break
            if kind in _COUNTS:
                stream.seek(content + _COUNTS[kind])
                counted = stream.read(4)
                if len(counted) == 4 and struct.unpack(">I", counted)[0] > size:
                    raise ExcludedItem("its index lists more frames than the file has bytes", _CHECK)
            elif kind in _WITHIN:
                spans.append((content, min(at + length, end)))
            at += length
    if boxes > _MOST_BOXES:
        raise ExcludedItem("its index has too many parts", _CHECK)


def _head(stream: BinaryIO, at: int) -> tuple[int, bytes, int]:
    """Length, kind and start of the content of the box at a place; zeros at the end of the file."""
    stream.seek(at)
    head = stream.read(16)
    if len(head) < 8:
        return 0, b"", at
    length, kind = struct.unpack(">I4s", head[:8])
    if length == 1 and len(head) == 16:
        return struct.unpack(">Q", head[8:])[0], kind, at + 16
    return length, kind, at + 8
