"""What a video file shows and when, read from its packets.

Nothing is decoded but the first picture (for its rotation) and the first piece of sound (for the
time of the first sample that is heard, after the codec's priming). The times come from the packets,
never from a frame rate: recordings of browsers and telephones have none that holds.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from waver.errors import SetAside, is_machine_trouble
from waver.shapes import FPS

_CUT_SHORT_S = 1.0
"""A container may promise this much more than its packets hold before it counts as cut short."""
_VP8_SHOWN = 0x10
_READ_AGAIN = "play it to the end in a video player; if it does not play, copy it again from its source"


@dataclass(frozen=True)
class Probe:
    """The displayed frames of a video file.

    Attributes:
        pts_s: [F] presentation times of the displayed frames, seconds after the first, ascending.
            Frames that an edit list cuts away are not among them.
        end_s: end of the last frame, seconds after the first.
        width: width of the picture as displayed (rotation applied), pixels.
        height: height of the picture as displayed, pixels.
        rotation: degrees counter-clockwise by which the stored picture is turned for display: 0,
            90, 180 or 270.
        audio_start_s: first audible sample, seconds after the first frame; None without audio.
        truncated: why the file looks cut short, else None.
        origin_s: the first frame's time on the file's own clock, seconds; what is decoded from the
            file lies ``origin_s`` later than the times above.
        declared_frames: frames, hidden ones included, that the container's own index promises; 0
            where it keeps none.
    """

    pts_s: npt.NDArray[np.float64]
    end_s: float
    width: int
    height: int
    rotation: int
    audio_start_s: float | None
    truncated: str | None
    origin_s: float = 0.0
    declared_frames: int = 0


@contextmanager
def open_video(path: str | Path) -> Iterator[tuple[Any, Any]]:
    """An open container and its first video stream that is not a cover picture.

    Raises:
        SetAside: the file is missing, is no video, or has no video stream.
        OSError: the disk or the network fails.
    """
    try:
        # a title in another encoding says nothing against the picture
        container = av.open(str(path), metadata_errors="replace")
    except FileNotFoundError as error:
        raise SetAside("the video file does not exist", "correct its path or bring the file") from error
    except (av.error.FFmpegError, OSError) as error:
        raise_machine_trouble(error, path)
        raise SetAside(f"the video file cannot be opened ({_said(error)})", _READ_AGAIN) from error
    with container:
        stream = next((s for s in container.streams.video if not _is_cover(s)), None)
        if stream is None:
            raise SetAside("the file has no video stream", "give a file with a picture, or remove it from the list")
        yield container, stream


def raise_machine_trouble(error: BaseException, path: str | Path) -> None:
    """Raise OSError if reading a file failed by the machine's fault; come back if the file is to blame.

    FFmpeg calls some damage an input/output error (Matroska cut short in its head), so this one
    counts only where the file cannot be read without FFmpeg either. A lack of memory that FFmpeg
    reports does not count: mostly, damage made a size absurd.

    Args:
        error: what FFmpeg raised.
        path: the file.
    """
    if not isinstance(error, OSError) or not is_machine_trouble(error):
        return
    if error.errno == errno.EIO:
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
        SetAside: the file cannot be opened or has no video frames.
        OSError: the disk or the network fails.
    """
    with open_video(path) as (container, stream):
        shown, found = _demux(container, stream, path)
        if not shown.times:
            why = found.broke or "its video stream is empty"
            raise SetAside(f"the file has no video frames ({why})", _READ_AGAIN)
        order = np.argsort(shown.times, kind="stable")
        times = np.asarray(shown.times, np.float64)[order]
        last_s = float(shown.durations[int(order[-1])])
        declared = len(stream.index_entries) if found.indexed else 0
        promised_s = float(container.duration or 0) / av.time_base + float(container.start_time or 0) / av.time_base
        truncated = _why_truncated(found, declared, promised_s)
    pts_s = times - times[0]
    rotation, width, height = _first_picture(path)
    sound = _first_sound(path)
    return Probe(
        pts_s=pts_s,
        end_s=float(pts_s[-1]) + _last_length(last_s, pts_s),
        width=width,
        height=height,
        rotation=rotation,
        audio_start_s=None if sound is None else sound - float(times[0]),
        truncated=truncated,
        origin_s=float(times[0]),
        declared_frames=declared,
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


def _demux(container: Any, stream: Any, path: str | Path) -> tuple[_Shown, _Found]:
    shown = _Shown([], [])
    found = _Found(0, 0.0, None, any(name in container.format.name for name in ("mov", "mp4")))
    sound = container.streams.audio[:1]
    try:
        for packet in container.demux([stream, *sound]):
            if not packet.size:
                continue
            ticks = packet.dts if packet.pts is None else packet.pts
            if ticks is None:
                continue
            start_s = float(ticks * packet.time_base)
            length_s = float((packet.duration or 0) * packet.time_base)
            found.last_s = max(found.last_s, start_s + length_s)
            if packet.stream.index != stream.index:
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


def _first_picture(path: str | Path) -> tuple[int, int, int]:
    """Rotation, and width and height as displayed."""
    with open_video(path) as (container, stream):
        width, height = stream.codec_context.width, stream.codec_context.height
        try:
            frame = next(container.decode(stream))
        except (av.error.FFmpegError, StopIteration) as error:
            raise_machine_trouble(error, path)
            raise SetAside(f"no video frame can be decoded ({_said(error)})", _READ_AGAIN) from error
        rotation = round(frame.rotation / 90) * 90 % 360
        width, height = frame.width, frame.height
    return (rotation, height, width) if rotation in (90, 270) else (rotation, width, height)


def _first_sound(path: str | Path) -> float | None:
    """Time of the first decoded sample on the file's clock, seconds; None where nothing is heard."""
    with open_video(path) as (container, _):
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        start = stream.start_time
        try:
            frame = next(container.decode(stream))
            return float(frame.pts * frame.time_base) if frame.pts is not None else 0.0
        except (av.error.FFmpegError, StopIteration) as error:
            raise_machine_trouble(error, path)
            return None if start is None else float(start * stream.time_base)


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & type(stream.disposition).attached_pic)


def _is_hidden(stream: Any, packet: Any) -> bool:
    """A VP8 reference picture that is never displayed travels as a packet of its own."""
    return stream.codec_context.name in ("vp8", "libvpx") and not bytes(packet)[0] & _VP8_SHOWN


def _last_length(told_s: float, pts_s: npt.NDArray[np.float64]) -> float:
    # browsers' WebM and many a muxer give the last frame no length, or one tick; broken ones give
    # several frames the same time
    usual_s = (float(np.median(np.diff(pts_s))) if len(pts_s) > 1 else 0.0) or 1 / FPS
    return told_s if told_s >= usual_s / 2 and told_s > 0 else usual_s


def _said(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
