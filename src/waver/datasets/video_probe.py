"""What a video file shows and when, read from its packets.

Nothing is decoded but the first picture (for how it is shown), key frames (for their size) and the first piece of
sound (for the time of the first sample that is heard, after the codec's priming). The file is read once, its beginning
a few times. The times come from the packets,
never from a frame rate: recordings of browsers and telephones have none that holds.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from waver.datasets.display import AS_STORED, Display, display_of
from waver.datasets.video_limits import (
    MOST_HOLE_S,
    check_cost,
    check_jumps,
    check_length,
    check_size,
    limit_picture,
    open_container,
    sound_goes_on,
)
from waver.errors import ExcludedItem, is_machine_trouble
from waver.shapes import FPS

_CUT_SHORT_S = 1.0
"""A container may promise this much more than its packets hold before it counts as cut short."""
_VP8_SHOWN = 0x10
_SAID_OF_DAMAGE = frozenset({errno.EIO, errno.EPERM, errno.EACCES, errno.EFBIG, errno.ETIMEDOUT})
_MOST_KEY_FRAMES = 64
_READ_AGAIN = "play it to the end in a video player; if it does not play, copy it again from its source"


@dataclass(frozen=True)
class Probe:
    """The displayed frames of a video file.

    Attributes:
        pts_s: [F] presentation times of the displayed frames, seconds after the first, ascending.
            Frames that an edit list cuts away are not among them.
        end_s: end of the last frame, seconds after the first.
        width: width of the picture as displayed (upright, with square pixels), pixels; of the largest where it changes.
        height: height of the picture as displayed, pixels.
        audio_start_s: first audible sample, seconds after the first frame; None without audio.
        truncated: why the file looks cut short, else None.
        origin_s: the first frame's time on the file's own clock, seconds; what is decoded from the
            file lies ``origin_s`` later than the times above.
        declared_frames: frames, hidden ones included, that the container's own index promises; 0
            where it keeps none.
        display: how the stored picture is shown.
        resized: the size of the picture changes.
    """

    pts_s: npt.NDArray[np.float64]
    end_s: float
    width: int
    height: int
    audio_start_s: float | None
    truncated: str | None
    origin_s: float = 0.0
    declared_frames: int = 0
    display: Display = AS_STORED
    resized: bool = False


@contextmanager
def open_video(path: str | Path) -> Iterator[tuple[Any, Any]]:
    """An open container and its first video stream that is not a cover picture.

    Raises:
        ExcludedItem: the file is missing, is no video, has no video stream, or its picture is too large.
        OSError: the disk or the network fails.
    """
    try:
        container = open_container(path)
    except FileNotFoundError as error:
        raise ExcludedItem("the video file does not exist", "correct its path or bring the file") from error
    except (av.error.FFmpegError, OSError) as error:
        raise_machine_trouble(error, path)
        raise ExcludedItem(f"the video file cannot be opened ({_said(error)})", _READ_AGAIN) from error
    with container:
        stream = next((s for s in container.streams.video if not _is_cover(s)), None)
        if stream is None:
            raise ExcludedItem("the file has no video stream", "give a file with a picture, or remove it from the list")
        limit_picture(stream)
        yield container, stream


def raise_machine_trouble(error: BaseException, path: str | Path) -> None:
    """Raise OSError if reading a file failed by the machine's fault; come back if the file is to blame.

    FFmpeg calls some damage an input/output error (Matroska cut short in its head) or not permitted, so these
    count only where the file cannot be read without FFmpeg either. A lack of memory that FFmpeg
    reports does not count: mostly, damage made a size absurd.

    Args:
        error: what FFmpeg raised.
        path: the file.
    """
    if not isinstance(error, OSError) or not (is_machine_trouble(error) or error.errno in _SAID_OF_DAMAGE):
        return
    if error.errno in _SAID_OF_DAMAGE:
        with open(path, "rb") as stream:
            while stream.read(1 << 20):
                pass
        return
    raise error


def probe_video(path: str | Path) -> Probe:
    """Read the frame times of a video file.

    Args:
        path: any container that FFmpeg reads.

    Raises:
        ExcludedItem: the file cannot be opened, has no video frames, or claims more than a recording has.
        OSError: the disk or the network fails.
    """
    with open_video(path) as (container, stream):
        shown, found = _demux(container, stream, path)
        if not shown.times:
            why = found.broke or "its video stream is empty"
            raise ExcludedItem(f"the file has no video frames ({why})", _READ_AGAIN)
        order = np.argsort(shown.times, kind="stable")
        unsorted, sound_s = np.asarray(shown.times, np.float64), np.asarray(found.sound_s, np.float64)
        times = unsorted[order]
        last_s = float(shown.durations[int(order[-1])])
        declared = len(stream.index_entries) if found.indexed else 0
        promised_s = float(container.duration or 0) / av.time_base  # MP4 and Matroska count it from 0
        truncated = _why_truncated(found, declared, promised_s)
    pts_s = times - times[0]
    if last_s > MOST_HOLE_S and not sound_goes_on(times[-1], times[-1] + last_s, sound_s):
        last_s = 0.0
    end_s = float(pts_s[-1]) + _last_length(last_s, pts_s)
    check_length(len(pts_s), end_s)
    check_jumps(unsorted, sound_s)
    display, first = _first_picture(path)
    sizes = [first, *(display.size(*size) for size in found.sizes)]
    for size in sizes[1:]:
        check_size(*size)
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    check_cost(len(pts_s), width, height, os.path.getsize(path))
    sound = first_sound(path)
    return Probe(
        pts_s=pts_s,
        end_s=end_s,
        width=width,
        height=height,
        audio_start_s=None if sound is None else sound - float(times[0]),
        truncated=truncated,
        origin_s=float(times[0]),
        declared_frames=declared,
        display=display,
        resized=len(set(sizes)) > 1,
    )


@dataclass
class _Shown:
    times: list[float]
    durations: list[float]


@dataclass
class _Found:
    packets: int
    last_s: float
    broke: str | None
    indexed: bool
    sound_s: list[float] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)


def _demux(container: Any, stream: Any, path: str | Path) -> tuple[_Shown, _Found]:
    shown = _Shown([], [])
    found = _Found(0, 0.0, None, any(name in container.format.name for name in ("mov", "mp4")))
    sound = container.streams.audio[:1]
    key_frames = 0 if stream.codec_context.codec.intra_only else _MOST_KEY_FRAMES
    try:
        for packet in container.demux([stream, *sound]):
            if not packet.size:
                continue
            if key_frames and packet.stream.index == stream.index and packet.is_keyframe:
                key_frames -= 1
                found.sizes += _sizes_of(packet, stream)
            ticks = packet.dts if packet.pts is None else packet.pts
            if ticks is None:
                continue
            start_s = float(ticks * packet.time_base)
            length_s = float((packet.duration or 0) * packet.time_base)
            found.last_s = max(found.last_s, start_s + length_s)
            if packet.stream.index != stream.index:
                found.sound_s.append(start_s)
                continue
            found.packets += 1
            if not packet.is_discard and not _is_hidden(stream, packet):
                shown.times.append(start_s)
                shown.durations.append(length_s)
    except (av.error.FFmpegError, OSError) as error:
        raise_machine_trouble(error, path)
        found.broke = _said(error)
    return shown, found


def _why_truncated(found: _Found, declared: int, promised_s: float) -> str | None:
    if found.broke is not None:
        return f"reading stopped after {found.packets} video frames ({found.broke})"
    if declared > found.packets:
        return f"the file's index lists {declared} video frames, {found.packets} are there"
    if promised_s - found.last_s > _CUT_SHORT_S:
        return f"the file says it lasts {promised_s:.1f} s, its last packet ends at {found.last_s:.1f} s"
    return None


def _first_picture(path: str | Path) -> tuple[Display, tuple[int, int]]:
    """How the picture is shown, and width and height of the first one then."""
    with open_video(path) as (container, stream):
        try:
            frame = next(container.decode(stream))
        except (av.error.FFmpegError, StopIteration) as error:
            raise_machine_trouble(error, path)
            raise ExcludedItem(f"no video frame can be decoded ({_said(error)})", _READ_AGAIN) from error
        display = display_of(stream, frame)
        size = display.size(frame.width, frame.height)
        check_size(*size)
        return display, size


def _sizes_of(packet: Any, stream: Any) -> list[tuple[int, int]]:
    """Stored size of a key frame, where alone a picture changes its size; what is damaged is found in decoding."""
    try:
        frames = [*packet.decode(), *stream.codec_context.decode(None)]
        stream.codec_context.flush_buffers()
    except (av.error.FFmpegError, OSError):
        return []
    return [(frame.width, frame.height) for frame in frames]


def sound_tracks(container: Any) -> list[Any]:
    """Audio streams in the order in which they are tried: those that the file marks as default come first."""
    return sorted(container.streams.audio, key=lambda stream: not stream.disposition & type(stream.disposition).default)


def first_sound(path: str | Path) -> float | None:
    """Time of the first decoded sample on the file's clock, seconds; None where nothing is heard.

    It is that of the first audio track that can be decoded, in the order of ``sound_tracks``.
    """
    with open_video(path) as (container, _):
        tracks = [(stream.index, stream.start_time, stream.time_base) for stream in sound_tracks(container)]
    for track, _, _ in tracks:
        with open_video(path) as (container, _):
            stream = container.streams[track]
            if stream.codec_context is None:
                continue
            try:
                frame = next(container.decode(stream))
                return float(frame.pts * frame.time_base) if frame.pts is not None else 0.0
            except (av.error.FFmpegError, StopIteration) as error:
                raise_machine_trouble(error, path)
    return next((float(start * unit) for _, start, unit in tracks if start is not None), None)


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & type(stream.disposition).attached_pic)


def _is_hidden(stream: Any, packet: Any) -> bool:
    """A VP8 reference picture that is never displayed travels as a packet of its own."""
    return stream.codec_context.name in ("vp8", "libvpx") and not bytes(packet)[0] & _VP8_SHOWN


def _last_length(declared_s: float, pts_s: npt.NDArray[np.float64]) -> float:
    # browsers' WebM and many a muxer give the last frame no length, or one tick; broken ones give
    # several frames the same time
    usual_s = (float(np.median(np.diff(pts_s))) if len(pts_s) > 1 else 0.0) or 1 / FPS
    return declared_s if declared_s >= usual_s / 2 and declared_s > 0 else usual_s


def _said(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
