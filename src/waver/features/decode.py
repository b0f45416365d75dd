"""Frames of a video as RGB pictures: decord where it can be trusted, PyAV everywhere else.

decord numbers frames by the container's index. It ignores edit lists, counts frames that are not
there, and was seen to give wrong pictures with right times from MPEG-TS. So it is used only where the
index of an MP4 or QuickTime file promises exactly the frames that its packets hold, all of them
displayed, and decord's own times agree with theirs. What it cannot decode then raises an error (the
endless loop of dmlc/decord#373 needs an index that promises too much), and PyAV goes on. Nor does
decord wait for a slow reader: it may hold a whole decoded video, so that long ones go to PyAV. The
two give the same pictures, bit by bit.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import av
import numpy as np
import numpy.typing as npt

from waver.data.probe import Probe, open_video, raise_machine_trouble
from waver.device import threads

try:
    # decord shows its libraries' symbols to all that is loaded later; OpenCV then reads PNG through
    # decord's old zlib, and fails
    with mock.patch.object(ctypes, "RTLD_GLOBAL", ctypes.RTLD_LOCAL):
        import decord
    decord.logging.set_level(decord.logging.QUIET)
except ImportError:  # there is no wheel for ARM and macOS
    decord = None

log = logging.getLogger(__name__)

Picture = npt.NDArray[np.uint8]
"""[H, W, 3] RGB, upright."""

_SAME_TIME_S = 1e-3
_BATCH_BYTES = 16 << 20
"""Pictures taken from decord at once."""
_VIDEO_BYTES = 768 << 20
"""A video of more decoded bytes (870 frames of 640x480) is not given to decord."""


@dataclass
class Decoding:
    """How a video was decoded; complete once its frames have been walked.

    Attributes:
        decoder: ``decord`` or ``pyav``, with the reason where decord was not used.
        wanted: frames asked for.
        given: frames given.
    """

    decoder: str = ""
    wanted: int = 0
    given: int = 0

    def note(self) -> str:
        """One line for the index: the decoder, and how many frames could not be decoded."""
        lost = self.wanted - self.given
        return f"decoder={self.decoder}" + (f"; {lost} of {self.wanted} frames could not be decoded" if lost else "")


def decode_frames(
    path: str | Path, probe: Probe, frames: Sequence[int] | npt.NDArray[np.int32], decoding: Decoding
) -> Iterator[tuple[int, Picture]]:
    """Decode some displayed frames of a video, each once, in order.

    A frame that cannot be decoded is left out; ``decoding`` counts them.

    Args:
        path: the video.
        probe: of the same file.
        frames: displayed frames wanted, ascending, counted from 0.
        decoding: filled with what was done.

    Yields:
        Frame number and picture.

    Raises:
        OSError: the disk or the network fails.
    """
    wanted = [int(frame) for frame in frames]
    decoding.wanted, decoding.given = len(wanted), 0
    reader, reason = _trusted_reader(path, probe)
    decoding.decoder = f"pyav ({reason})" if reader is None else "decord"
    if reader is not None:
        try:
            for number, picture in _with_decord(reader, wanted):
                decoding.given += 1
                yield number, picture
            return
        except (decord.DECORDError, IndexError) as error:
            why = str(error).strip().splitlines()[-1]
            log.warning("%s: decord stopped at frame %d (%s); PyAV goes on", path, wanted[decoding.given], why)
            decoding.decoder = f"decord; pyav from frame {wanted[decoding.given]} on (decord stopped)"
    for number, picture in _with_pyav(path, probe, wanted[decoding.given :]):
        decoding.given += 1
        yield number, picture


def _trusted_reader(path: str | Path, probe: Probe) -> tuple[Any | None, str]:
    """A decord reader, or None and why there is none."""
    count = len(probe.pts_s)
    if decord is None:
        return None, "decord is not installed"
    if probe.truncated is not None:
        return None, "cut short"
    if not probe.declared_frames:
        return None, "no frame index"
    if probe.declared_frames != count:
        return None, "edit list"
    if count * probe.width * probe.height * 3 > _VIDEO_BYTES:
        return None, "too long for decord's memory"
    try:
        reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=threads())
        if len(reader) != count:
            return None, f"decord counts {len(reader)} frames of {count}"
        told_s = np.asarray(reader.get_frame_timestamp(np.arange(count)), np.float64)[:, 0]
    except decord.DECORDError:
        return None, "decord cannot open it"
    if np.abs(told_s - told_s[0] - probe.pts_s).max() >= _SAME_TIME_S:
        return None, "decord's times differ"
    return reader, ""


def _with_decord(reader: Any, wanted: list[int]) -> Iterator[tuple[int, Picture]]:
    at_once = 1
    start = 0
    while start < len(wanted):
        numbers = wanted[start : start + at_once]
        pictures = reader.get_batch(numbers).asnumpy()
        at_once = int(np.clip(_BATCH_BYTES // pictures[0].nbytes, 1, 32))
        yield from zip(numbers, pictures, strict=True)
        start += len(numbers)


def _with_pyav(path: str | Path, probe: Probe, wanted: list[int]) -> Iterator[tuple[int, Picture]]:
    waiting = set(wanted)
    turns = probe.rotation // 90
    last = -1
    with open_video(path) as (container, stream):
        stream.codec_context.thread_count = threads()
        for frame in _decoded(container, stream, path):
            last = _number(frame, probe, last)
            if last in waiting:
                waiting.discard(last)
                picture = frame.to_ndarray(format="rgb24")
                yield last, np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture
            if not waiting:
                return


def _decoded(container: Any, stream: Any, path: str | Path) -> Iterator[Any]:
    """All frames that can be decoded; damaged packets are passed over."""
    try:
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
            except av.error.FFmpegError:
                continue
    except (av.error.FFmpegError, OSError) as error:
        raise_machine_trouble(error, path)
        yield from stream.decode(None)


def _number(frame: Any, probe: Probe, last: int) -> int:
    """Which displayed frame a decoded one is, by its time; by order where it has none."""
    if frame.pts is None:
        return last + 1
    time_s = float(frame.pts * frame.time_base) - probe.origin_s
    return int(np.searchsorted(probe.pts_s, time_s - _SAME_TIME_S))
