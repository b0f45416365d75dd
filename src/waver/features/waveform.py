"""The sound of a video as one waveform on the clock of its picture.

Sample 0 is heard when the first video frame is shown. Each decoded piece lies where its presentation
time puts it, so that a late start, a gap or a broken packet delays nothing after it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from waver.data.probe import raise_machine_trouble
from waver.errors import SetAside

log = logging.getLogger(__name__)

RATE_HZ = 16_000
"""Sampling rate of every waveform: that of VGGish and of Whisper."""
TAIL_S = 1.0
"""Sound kept after the end of the picture; the audio patch of the last frame looks 0.975 s ahead."""
SILENT_PEAK = 2.0**-15
"""A file whose samples all lie below one step of 16 bits holds no sound."""

_JUMP_S = 0.04  # containers round times to 1 ms and more; a real gap of browsers is a lost packet, 20 ms or several
_FULL_SCALE = 32768.0


@dataclass(frozen=True)
class Sound:
    """A waveform.

    Attributes:
        samples: float32 [S] in [-1, 1), 16 kHz, mono; sample 0 at the first video frame.
        start_s: where the recorded sound begins, seconds; silence stands before it.
        end_s: where the recorded sound ends, seconds.
        note: what a reader should know; empty where nothing was amiss.
    """

    samples: npt.NDArray[np.float32]
    start_s: float
    end_s: float
    note: str

    @property
    def silent(self) -> bool:
        """All samples are digital silence: the microphone was off or the file was stripped."""
        return not bool((np.abs(self.samples) >= SILENT_PEAK).any())


@dataclass
class _Run:
    """Decoded pieces without a gap between them."""

    kind: tuple[str, str, int]
    start_s: float
    heard: int = 0
    resampler: Any = field(default_factory=lambda: av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ))
    pieces: list[npt.NDArray[np.int16]] = field(default_factory=list)

    @property
    def end_s(self) -> float:
        return self.start_s + self.heard / self.kind[2]

    def add(self, frame: Any) -> None:
        self.heard += frame.samples
        frame.pts = None
        self._resample(frame)

    def finish(self) -> npt.NDArray[np.float32]:
        self._resample(None)
        return np.concatenate(self.pieces).astype(np.float32) / np.float32(_FULL_SCALE)

    def _resample(self, frame: Any) -> None:
        self.pieces.extend(piece.to_ndarray()[0] for piece in self.resampler.resample(frame))


def read_waveform(path: str | Path, audio_start_s: float | None, length_s: float) -> Sound:
    """Decode, mix down and resample the first audio stream.

    Args:
        path: video file.
        audio_start_s: time of the first audible sample relative to the first video frame, seconds;
            None where the file has no audio stream. Sound before the first video frame is cut.
        length_s: length of the picture, seconds; sound is kept up to ``TAIL_S`` after it.

    Raises:
        SetAside: there is no sound, or none of it can be decoded.
        OSError: the disk or the network fails.
    """
    if audio_start_s is None:
        raise _no_sound()
    with av.open(str(path), metadata_errors="replace") as container:
        if not container.streams.audio:
            raise _no_sound()
        decoder = _Decoder(container, container.streams.audio[0], path)
        runs = list(_runs(decoder, audio_start_s, length_s + TAIL_S))
    if not runs:
        why = decoder.trouble or "its audio stream is empty"
        raise SetAside(f"none of its sound can be decoded ({why})", "play it; if nothing is heard, convert its sound")
    return _lay_out(runs, round((length_s + TAIL_S) * RATE_HZ), decoder.trouble)


class _Decoder:
    """Frames of an audio stream; a broken packet is stepped over and remembered in ``trouble``."""

    def __init__(self, container: Any, stream: Any, path: str | Path) -> None:
        self._container, self._stream, self._path = container, stream, path
        self.trouble = ""

    def __iter__(self) -> Iterator[Any]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.error.FFmpegError, OSError) as error:
                raise_machine_trouble(error, self._path)
                self.trouble = f"reading its sound stopped early: {_said(error)}"
                return
            try:
                yield from packet.decode()
            except av.error.FFmpegError as error:
                self.trouble = self.trouble or f"part of its sound is broken: {_said(error)}"


def _runs(frames: _Decoder, audio_start_s: float, until_s: float) -> Iterator[_Run]:
    run: _Run | None = None
    first_s: float | None = None
    for frame in frames:
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        expected_s = audio_start_s if run is None else run.end_s
        time_s = None if frame.pts is None else float(frame.pts * frame.time_base)
        if first_s is None:
            first_s = time_s
        start_s = expected_s if time_s is None or first_s is None else time_s - first_s + audio_start_s
        if start_s >= until_s:
            continue
        if run is None or kind != run.kind or abs(start_s - expected_s) > _JUMP_S:
            if run is not None:
                yield run
            run = _Run(kind, start_s)
        run.add(frame)
    if run is not None:
        yield run


def _lay_out(runs: list[_Run], most: int, trouble: str) -> Sound:
    placed = [(round(run.start_s * RATE_HZ), run.finish()) for run in runs]
    end = min(max(start + len(piece) for start, piece in placed), most)
    samples = np.zeros(max(end, 0), np.float32)
    for start, piece in placed:
        low, high = max(start, 0), min(start + len(piece), end)
        if low < high:
            samples[low:high] = piece[low - start : high - start]
    if not len(samples):
        raise SetAside("its sound ends before its picture begins", "check the file; its audio and words stay empty")
    gaps = f"{len(runs) - 1} gaps in its sound filled with silence" if len(runs) > 1 else ""
    start_s = max(min(start for start, _ in placed), 0) / RATE_HZ
    return Sound(samples, start_s, end / RATE_HZ, "; ".join(filter(None, (trouble, gaps))))


def _no_sound() -> SetAside:
    return SetAside("the file has no sound", "record with a microphone; its audio and words stay empty")


def _said(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
