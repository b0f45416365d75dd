"""Frames of a video as RGB pictures, by PyAV; by decord where the config asks for it and it is reliable.

PyAV brings a current FFmpeg; decord's is of 2018, and files from outside should not meet it. decord numbers frames
by the container's index. It ignores edit lists, counts frames that do not exist, and was observed to return wrong
pictures with correct times from MPEG-TS. So it is used only where the index of an MP4 or QuickTime file lists exactly
the frames that its packets hold, all of them displayed, and decord's times agree with theirs. A frame that it cannot
decode then raises an error (the endless loop of dmlc/decord#373 needs an index that lists too many), and PyAV
continues. decord does not wait for a slow reader and decodes ahead to the end of the video. So it reads windows that
begin at key frames, and what it decoded ahead is dropped after each: memory does not grow with the video, and PyAV is
the faster one (bench/decode.py). Both return bit-identical pictures (measured by bench/decoders.py).
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import av
import cv2
import numpy as np
import numpy.typing as npt

from waver.datasets.display import Display
from waver.datasets.video_probe import Probe, open_video, raise_machine_trouble
from waver.device import threads
from waver.features.tone import high_range, tone_mapped
from waver.io.worker_process import stream_from_worker

try:
    # decord exports its libraries' symbols to all libraries loaded later; OpenCV then reads PNG
    # with decord's old zlib, and fails
    with mock.patch.object(ctypes, "RTLD_GLOBAL", ctypes.RTLD_LOCAL):
        import decord
    decord.logging.set_level(decord.logging.QUIET)
except ImportError:  # there is no wheel for ARM and macOS
    decord = None

log = logging.getLogger(__name__)

Decoder = Literal["auto", "pyav", "decord"]
"""``auto`` is PyAV; ``decord`` is PyAV for files that decord is not reliable for."""
Picture = npt.NDArray[np.uint8]
"""[H, W, 3] RGB, upright."""

_SAME_TIME_S = 1e-3
_WINDOW_BYTES = 64 << 20
"""Decoded pictures of a window from decord, if more than one key frame fits; it holds four times as much at most."""
_MOST_BYTES = 256 << 20
"""Where key frames are farther apart than so many decoded bytes (290 frames of 640x480), PyAV decodes."""


@dataclass
class Decoding:
    """How a video was decoded; complete once its frames have been walked.

    Attributes:
        decoder: ``decord`` or ``pyav``, with the reason where decord was asked for and not used.
        wanted: number of requested frames.
        given: number of decoded frames.
        high_range: transfer function of a picture of high dynamic range, which is tone-mapped.
        resized: the size of the picture changes, and all are brought to the largest.
    """

    decoder: str = ""
    wanted: int = 0
    given: int = 0
    high_range: str = ""
    resized: bool = False

    def note(self) -> str:
        """One line for the index: the decoder, how many frames could not be decoded, and how others were changed."""
        lost = self.wanted - self.given
        parts = (
            f"decoder={self.decoder}",
            f"{lost} of {self.wanted} frames could not be decoded" if lost else "",
            f"high dynamic range ({self.high_range}) is tone-mapped" if self.high_range else "",
            "its picture changes its size" if self.resized else "",
        )
        return "; ".join(filter(None, parts))


def decode_frames(
    path: str | Path,
    probe: Probe,
    frames: Sequence[int] | npt.NDArray[np.int32],
    decoding: Decoding,
    decoder: Decoder = "auto",
) -> Iterator[tuple[int, Picture]]:
    """Decode some displayed frames of a video, each once, in order.

    A frame that cannot be decoded is left out; ``decoding`` counts them.

    Args:
        path: the video.
        probe: of the same file.
        frames: requested displayed frames, ascending, counted from 0.
        decoding: filled with the decoder and the counts.
        decoder: who decodes.

    Yields:
        Frame number and picture.

    Raises:
        OSError: the disk or the network fails.
    """
    wanted = [int(frame) for frame in frames]
    decoding.wanted, decoding.given, decoding.resized = len(wanted), 0, probe.resized
    reader, reason = _trusted_reader(path, probe) if decoder == "decord" else (None, "")
    decoding.decoder = "decord" if reader is not None else f"pyav ({reason})" if reason else "pyav"
    if reader is not None:
        try:
            for number, picture in _with_decord(reader, wanted):
                decoding.given += 1
                yield number, picture
            return
        except (decord.DECORDError, IndexError) as error:
            why = str(error).strip().splitlines()[-1]
            log.warning("%s: decord stopped at frame %d (%s); PyAV continues", path, wanted[decoding.given], why)
            decoding.decoder = f"decord; pyav from frame {wanted[decoding.given]} on (decord stopped)"
    for number, picture in _with_pyav(path, probe, wanted[decoding.given :], decoding):
        decoding.given += 1
        yield number, picture


def decode_in_worker(
    path: str | Path,
    probe: Probe,
    frames: Sequence[int] | npt.NDArray[np.int32],
    decoding: Decoding,
    decoder: Decoder = "auto",
) -> Iterator[tuple[int, Picture]]:
    """As ``decode_frames``, in the worker process of ``waver.io.worker_process``, which may die of it.

    Raises:
        ExcludedItem: the decoder crashed, hung, or took too much memory.
        OSError: the disk or the network fails.
    """
    record = yield from stream_from_worker(_decoded_with_record, path, probe, np.asarray(frames), decoder)
    decoding.__dict__.update(record.__dict__)


def _decoded_with_record(
    path: str | Path, probe: Probe, frames: npt.NDArray[np.int32], decoder: Decoder
) -> Generator[tuple[int, Picture], None, Decoding]:
    decoding = Decoding()
    yield from decode_frames(path, probe, frames, decoding, decoder)
    return decoding


def _trusted_reader(path: str | Path, probe: Probe) -> tuple[Any | None, str]:
    """A decord reader, or None and the reason."""
    count = len(probe.pts_s)
    if decord is None:
        return None, "decord is not installed"
    if probe.truncated is not None:
        return None, "cut short"
    if not probe.declared_frames:
        return None, "no frame index"
    if probe.declared_frames != count:
        return None, "edit list"
    if probe.display.mirrored:
        return None, "mirrored picture"
    if probe.display.pixel_aspect != 1:
        return None, "pixels are not square"
    if probe.resized:
        return None, "its size changes"
    try:
        reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=threads())
        if len(reader) != count:
            return None, f"decord counts {len(reader)} frames of {count}"
        if not _same_picture(reader, path, probe):
            return None, "another first picture"
        decord_s = np.asarray(reader.get_frame_timestamp(np.arange(count)), np.float64)[:, 0]
    except decord.DECORDError:
        return None, "decord cannot open it"
    if max(map(len, _windows(reader, range(count)))) * probe.width * probe.height * 3 > _MOST_BYTES:
        return None, "its key frames are too far apart"
    if np.abs(decord_s - decord_s[0] - probe.pts_s).max() >= _SAME_TIME_S:
        return None, "decord's times differ"
    return reader, ""


def _same_picture(reader: Any, path: str | Path, probe: Probe) -> bool:
    """Whether decord shows the first frame as PyAV does, which knows of newer ways to say how."""
    first = next(_with_pyav(path, probe, [0], Decoding()), None)
    return first is not None and np.array_equal(first[1], reader[0].asnumpy())


def _with_decord(reader: Any, wanted: list[int]) -> Iterator[tuple[int, Picture]]:
    for numbers in _windows(reader, wanted):
        pictures = reader.get_batch(numbers).asnumpy()
        reader.seek(0)  # drops what it decoded ahead, and stops it
        yield from zip(numbers, pictures, strict=True)


def _windows(reader: Any, wanted: Sequence[int]) -> list[list[int]]:
    """The wanted frames in portions that begin at key frames, of _WINDOW_BYTES at most or from one to the next."""
    height, width, _ = reader[0].shape
    most = _WINDOW_BYTES // (height * width * 3)
    groups = np.split(np.asarray(wanted), np.searchsorted(wanted, reader.get_key_indices()[1:]))
    windows: list[list[int]] = []
    for group in (group.tolist() for group in groups if len(group)):
        if windows and len(windows[-1]) + len(group) <= most:
            windows[-1] += group
        else:
            windows.append(group)
    return windows


def _with_pyav(path: str | Path, probe: Probe, wanted: list[int], decoding: Decoding) -> Iterator[tuple[int, Picture]]:
    waiting = set(wanted)
    last = -1
    with open_video(path) as (container, stream):
        stream.codec_context.thread_count = threads()
        for frame in _decoded(container, stream, path):
            last = _number(frame, probe, last)
            if last in waiting:
                waiting.discard(last)
                picture, transfer = _shown(frame, probe.display), high_range(frame)
                if transfer:
                    decoding.high_range, picture = transfer, tone_mapped(picture, transfer)
                yield last, fitted(picture, probe.width, probe.height)
            if not waiting:
                return


def _shown(frame: Any, display: Display) -> Picture:
    """The frame as it is displayed."""
    width, height = display.square(frame.width, frame.height)
    picture = frame.to_ndarray(format="rgb24", width=width, height=height)
    if display.mirrored:
        picture = picture[:, ::-1]
    return np.ascontiguousarray(np.rot90(picture, display.rotation // 90))


def fitted(picture: Picture, width: int, height: int) -> Picture:
    """A picture of another size in the middle of one of this size, its shape kept, black around it."""
    if picture.shape[:2] == (height, width):
        return picture
    scale = min(width / picture.shape[1], height / picture.shape[0])
    across, down = (max(1, min(round(side * scale), most)) for side, most in zip(
        picture.shape[1::-1], (width, height), strict=True))  # fmt: skip
    small = cv2.resize(picture, (across, down), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    whole = np.zeros((height, width, 3), np.uint8)
    top, left = (height - down) // 2, (width - across) // 2
    whole[top : top + down, left : left + across] = small
    return whole


def _decoded(container: Any, stream: Any, path: str | Path) -> Iterator[Any]:
    """All frames that can be decoded; damaged packets are skipped."""
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
    """Which displayed frame a decoded one is, by its time; by order where it has none, or that of the one before."""
    if frame.pts is None:
        return last + 1
    time_s = float(frame.pts * frame.time_base) - probe.origin_s
    number = int(np.searchsorted(probe.pts_s, time_s - _SAME_TIME_S))
    next_has_it = last + 1 < len(probe.pts_s) and abs(probe.pts_s[last + 1] - time_s) < _SAME_TIME_S
    return last + 1 if number <= last and next_has_it else number
