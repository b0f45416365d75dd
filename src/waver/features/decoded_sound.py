"""The sound of one track, decoded and laid on the clock of the picture piece by piece.

Each decoded piece is placed by its presentation time, so that a late start, a gap or a broken packet shifts nothing
after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from waver.datasets.video_limits import check_rate, open_container
from waver.datasets.video_probe import raise_machine_trouble
from waver.features.channels import ChannelLevels, can_be_mixed, one_channel
from waver.features.samples import RATE_HZ

_JUMP_S = 0.04  # containers round times to 1 ms and more; a real gap of browsers is a lost packet, 20 ms or several

Kind = tuple[str, str, int]
"""Format of the samples, arrangement of the channels, samples a second."""


@dataclass(frozen=True)
class Place:
    """Where sound lies on the picture's clock.

    Attributes:
        start_s: time of the first sample, seconds.
        until_s: end of what is kept, seconds.
        first_s: time of the first sample on the file's own clock, seconds; None: that of the first frame.
    """

    start_s: float
    until_s: float
    first_s: float | None


@dataclass
class Strip:
    """Where sound is laid down: silence, but for the runs.

    Attributes:
        pcm: int16 [S], up to the end of what is kept.
        runs: how many there are.
        start: sample at which the first one begins, which may be before the picture.
        end: sample after the last one.
    """

    pcm: npt.NDArray[np.int16]
    runs: int = 0
    start: int = 0
    end: int = 0

    def begin(self, at: int) -> None:
        """A run begins."""
        self.start = min(self.start, at) if self.runs else at
        self.end = max(self.end, at) if self.runs else at
        self.runs += 1

    def lay(self, at: int, piece: npt.NDArray[np.int16]) -> None:
        """Lay down a piece; what is outside is cut."""
        self.end = max(self.end, at + len(piece))
        low, high = max(at, 0), min(at + len(piece), len(self.pcm))
        if low < high:
            self.pcm[low:high] = piece[low - at : high - at]


@dataclass
class _Run:
    """Decoded pieces without a gap between them, laid down as they come."""

    kind: Kind
    start_s: float
    strip: Strip
    channel: int | None = None
    heard: int = 0
    resampler: Any = field(default_factory=lambda: av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ))

    def __post_init__(self) -> None:
        self._at = round(self.start_s * RATE_HZ)
        self.strip.begin(self._at)

    @property
    def end_s(self) -> float:
        return self.start_s + self.heard / self.kind[2]

    def add(self, frame: Any) -> None:
        self.heard += frame.samples
        frame.pts = None
        self._resample(frame if self.channel is None else one_channel(frame, self.channel))

    def finish(self) -> None:
        """Lay down what the resampler still holds."""
        self._resample(None)

    def _resample(self, frame: Any) -> None:
        for resampled in self.resampler.resample(frame):
            piece = resampled.to_ndarray()[0]
            self.strip.lay(self._at, piece)
            self._at += len(piece)


def decode_track(
    path: str | Path, track: int, place: Place, levels: dict[Kind, ChannelLevels], channels: dict[Kind, int]
) -> tuple[Strip, str]:
    """The sound of a track, and what is broken in it; measures ``levels``, and takes ``channels`` alone."""
    strip = Strip(np.zeros(max(round(place.until_s * RATE_HZ), 0), np.int16))
    with open_container(path) as container:
        decoder = _Decoder(container, container.streams[track], path)
        _lay_down(decoder, place, strip, levels, channels)
    return strip, decoder.trouble


class _Decoder:
    """Frames of an audio stream; a broken packet is skipped and recorded in ``trouble``."""

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
                self.trouble = f"reading its sound stopped early: {_message(error)}"
                return
            try:
                yield from packet.decode()
            except av.error.FFmpegError as error:
                self.trouble = self.trouble or f"part of its sound is broken: {_message(error)}"


def _lay_down(
    frames: _Decoder, place: Place, strip: Strip, levels: dict[Kind, ChannelLevels], channels: dict[Kind, int]
) -> None:
    run: _Run | None = None
    first_s = place.first_s
    for frame in frames:
        check_rate(frame.sample_rate)
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        expected_s = place.start_s if run is None else run.end_s
        time_s = None if frame.pts is None else float(frame.pts * frame.time_base)
        if first_s is None:
            first_s = time_s
        start_s = expected_s if time_s is None or first_s is None else time_s - first_s + place.start_s
        if start_s >= place.until_s:
            continue
        if run is None or kind != run.kind or abs(start_s - expected_s) > _JUMP_S:
            if run is not None:
                run.finish()
            mixed = can_be_mixed(frame.layout.name, frame.layout.nb_channels)
            run = _Run(kind, start_s, strip, channels.get(kind, None if mixed else 0))
        if frame.layout.nb_channels > 1 and run.channel is None:
            if kind not in levels:
                levels[kind] = ChannelLevels.of(frame)
            levels[kind].add(frame)
        run.add(frame)
    if run is not None:
        run.finish()


def _message(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
