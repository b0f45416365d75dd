"""The sound of a video as one waveform on the clock of its picture.

Sample 0 is at the time of the first video frame. Each decoded piece is placed by its presentation
time, so that a late start, a gap or a broken packet shifts nothing after it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from waver.datasets.video_limits import check_rate, open_container
from waver.datasets.video_probe import first_sound, raise_machine_trouble, sound_tracks
from waver.errors import ExcludedItem
from waver.features.channels import ChannelLevels, can_be_mixed, one_channel

log = logging.getLogger(__name__)

RATE_HZ = 16_000
"""Sampling rate of every waveform: that of VGGish and of Whisper."""
TAIL_S = 1.0
"""Sound kept after the end of the picture; the audio patch of the last frame reaches 0.975 s ahead."""
SILENT_PEAK = 2.0**-15
"""A file whose samples are all below one step of 16 bits has no sound."""

_QUIET_PEAK = 1e-3
"""60 dB below full scale: a track that is never louder counts as silent where there are others."""
_JUMP_S = 0.04  # containers round times to 1 ms and more; a real gap of browsers is a lost packet, 20 ms or several
_FULL_SCALE = 32768.0


_Kind = tuple[str, str, int]
"""Format of the samples, arrangement of the channels, samples a second."""


@dataclass(frozen=True)
class Sound:
    """A waveform.

    Attributes:
        samples: float32 [S] in [-1, 1), 16 kHz, mono; sample 0 at the first video frame.
        start_s: where the recorded sound begins, seconds; silence before it.
        end_s: where the recorded sound ends, seconds.
        note: defects of the sound; empty if there are none.
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

    kind: _Kind
    start_s: float
    channel: int | None = None
    heard: int = 0
    resampler: Any = field(default_factory=lambda: av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ))
    pieces: list[npt.NDArray[np.int16]] = field(default_factory=list)

    @property
    def end_s(self) -> float:
        return self.start_s + self.heard / self.kind[2]

    def add(self, frame: Any) -> None:
        self.heard += frame.samples
        frame.pts = None
        self._resample(frame if self.channel is None else one_channel(frame, self.channel))

    def finish(self) -> npt.NDArray[np.float32]:
        self._resample(None)
        return np.concatenate(self.pieces).astype(np.float32) / np.float32(_FULL_SCALE)

    def _resample(self, frame: Any) -> None:
        self.pieces.extend(piece.to_ndarray()[0] for piece in self.resampler.resample(frame))


def read_waveform(path: str | Path, audio_start_s: float | None, length_s: float) -> Sound:
    """Decode, mix down and resample the sound of a video.

    Of several audio tracks it is the default one, else the first one that can be decoded and is not silent. Where
    channels cancel each other in the mix, the loudest of them is taken. Both are said in the note.

    Args:
        path: video file.
        audio_start_s: time of the first audible sample relative to the first video frame, seconds, as
            ``probe_video`` gives it; None where the file has no audio stream. Sound before the first video frame is
            cut.
        length_s: length of the picture, seconds; sound is kept up to ``TAIL_S`` after it.

    Raises:
        ExcludedItem: there is no sound, none of it can be decoded, or it has an impossible rate.
        OSError: the disk or the network fails.
    """
    if audio_start_s is None:
        raise _no_sound()
    with open_container(path) as container:
        tracks = [stream.index for stream in sound_tracks(container)]
    if not tracks:
        raise _no_sound()
    place = _Place(audio_start_s, length_s + TAIL_S, first_sound(path) if len(tracks) > 1 else None)
    if len(tracks) == 1:
        return _read_track(path, tracks[0], place)
    return _first_that_sounds(path, tracks, place)


@dataclass(frozen=True)
class _Place:
    """Where sound lies on the picture's clock.

    Attributes:
        start_s: time of the first sample, seconds.
        until_s: end of what is kept, seconds.
        first_s: time of the first sample on the file's own clock, seconds; None: that of the first frame.
    """

    start_s: float
    until_s: float
    first_s: float | None


def _first_that_sounds(path: str | Path, tracks: list[int], place: _Place) -> Sound:
    """The first track that is not silent, else the loudest one that can be decoded.

    Raises:
        ExcludedItem: none can be; that of the first track.
    """
    loudest: tuple[float, str, Sound] | None = None
    problem: ExcludedItem | None = None
    for track in tracks:
        try:
            sound = _read_track(path, track, place)
        except ExcludedItem as error:
            problem = problem or error
            continue
        peak = float(np.abs(sound.samples).max(initial=0))
        if loudest is None or peak > loudest[0]:
            loudest = peak, f"sound of track {sorted(tracks).index(track) + 1} of {len(tracks)}", sound
        if peak >= _QUIET_PEAK:
            break
    if loudest is None:
        assert problem is not None
        raise problem
    _, which, sound = loudest
    return replace(sound, note="; ".join(filter(None, (which, sound.note))))


def _read_track(path: str | Path, track: int, place: _Place) -> Sound:
    levels: dict[_Kind, ChannelLevels] = {}
    runs, trouble = _decode(path, track, place, levels, {})
    louder = {kind: one for kind, level in levels.items() if (one := level.louder()) is not None}
    if louder:
        runs, trouble = _decode(path, track, place, {}, louder)
    if not runs:
        why = trouble or "its audio stream is empty"
        raise ExcludedItem(
            f"none of its sound can be decoded ({why})", "play it; if nothing is heard, convert its sound"
        )
    chosen = f"channels cancel each other: channel {next(iter(louder.values())) + 1} is used" if louder else ""
    return _lay_out(runs, round(place.until_s * RATE_HZ), [trouble, chosen])


def _decode(
    path: str | Path, track: int, place: _Place, levels: dict[_Kind, ChannelLevels], channels: dict[_Kind, int]
) -> tuple[list[_Run], str]:
    """Runs of a track, and what is broken in it; measures ``levels``, and takes ``channels`` alone."""
    with open_container(path) as container:
        decoder = _Decoder(container, container.streams[track], path)
        return list(_runs(decoder, place, levels, channels)), decoder.trouble


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


def _runs(
    frames: _Decoder, place: _Place, levels: dict[_Kind, ChannelLevels], channels: dict[_Kind, int]
) -> Iterator[_Run]:
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
                yield run
            mixed = can_be_mixed(frame.layout.name, frame.layout.nb_channels)
            run = _Run(kind, start_s, channels.get(kind, None if mixed else 0))
        if frame.layout.nb_channels > 1 and run.channel is None:
            if kind not in levels:
                levels[kind] = ChannelLevels.of(frame)
            levels[kind].add(frame)
        run.add(frame)
    if run is not None:
        yield run


def _lay_out(runs: list[_Run], most: int, notes: list[str]) -> Sound:
    placed = [(round(run.start_s * RATE_HZ), run.finish()) for run in runs]
    end = min(max(start + len(piece) for start, piece in placed), most)
    samples = np.zeros(max(end, 0), np.float32)
    for start, piece in placed:
        low, high = max(start, 0), min(start + len(piece), end)
        if low < high:
            samples[low:high] = piece[low - start : high - start]
    if not len(samples):
        raise ExcludedItem("its sound ends before its picture begins", "check the file; its audio and words stay empty")
    gaps = f"{len(runs) - 1} gaps in its sound filled with silence" if len(runs) > 1 else ""
    start_s = max(min(start for start, _ in placed), 0) / RATE_HZ
    return Sound(samples, start_s, end / RATE_HZ, "; ".join(filter(None, (*notes, gaps))))


def _no_sound() -> ExcludedItem:
    return ExcludedItem("the file has no sound", "record with a microphone; its audio and words stay empty")


def _message(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
