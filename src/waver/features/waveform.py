"""The sound of a video as one waveform on the clock of its picture: sample 0 is at the time of the first frame."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from waver.datasets.languages import is_language
from waver.datasets.video_limits import open_container
from waver.datasets.video_probe import first_sound, sound_tracks
from waver.errors import ExcludedItem
from waver.features.channels import ChannelLevels
from waver.features.decoded_sound import Kind, Place, Strip, decode_track
from waver.features.samples import RATE_HZ, Samples, Waveform, peak
from waver.io.worker_process import stream_from_worker

TAIL_S = 1.0
"""Sound kept after the end of the picture; the audio patch of the last frame reaches 0.975 s ahead."""
SILENT_PEAK = 2.0**-15
"""A file whose samples are all below one step of 16 bits has no sound."""

_QUIET_PEAK = 1e-3
"""60 dB below full scale: a track that is never louder counts as silent where there are others."""
_SENT = 1 << 21
"""Samples that are handed over at once, 4 MB."""


@dataclass(frozen=True)
class Sound:
    """A waveform.

    Attributes:
        samples: [S] in [-1, 1), 16 kHz, mono; sample 0 at the first video frame. Slices are float32.
        start_s: where the recorded sound begins, seconds; silence before it.
        end_s: where the recorded sound ends, seconds.
        note: defects of the sound; empty if there are none.
    """

    samples: Samples
    start_s: float
    end_s: float
    note: str

    @property
    def silent(self) -> bool:
        """All samples are digital silence: the microphone was off or the file was stripped."""
        return peak(self.samples) < SILENT_PEAK


def read_waveform(path: str | Path, audio_start_s: float | None, length_s: float, language: str | None = None) -> Sound:
    """Decode, mix down and resample the sound of a video.

    Of several audio tracks it is one that the file says is in the language, else the default one, else the first one
    that can be decoded; of these the first that is not silent. Where channels cancel each other in the mix, the
    loudest of them is taken. All of this is said in the note.

    Args:
        path: video file.
        audio_start_s: time of the first audible sample relative to the first video frame, seconds, as
            ``probe_video`` gives it; None where the file has no audio stream. Sound before the first video frame is
            cut.
        length_s: length of the picture, seconds; sound is kept up to ``TAIL_S`` after it.
        language: ISO 639-1 code of the speech; None where unknown.

    Raises:
        ExcludedItem: there is no sound, none of it can be decoded, or it has an impossible rate.
        OSError: the disk or the network fails.
    """
    if audio_start_s is None:
        raise _no_sound()
    tracks = _tracks(path, language)
    if not tracks:
        raise _no_sound()
    place = Place(audio_start_s, length_s + TAIL_S, first_sound(path) if len(tracks) > 1 else None)
    if len(tracks) == 1:
        return _read_track(path, tracks[0].index, place)
    return _first_that_sounds(path, tracks, place, language)


def read_in_worker(path: Path, audio_start_s: float | None, length_s: float, language: str | None = None) -> Sound:
    """As ``read_waveform``, in the worker process; the samples come in parts, by shared memory.

    Raises:
        ExcludedItem: as ``read_waveform``, or the decoder crashed, hung, or took too much memory.
        OSError: the disk or the network fails.
    """
    given = stream_from_worker(_in_parts, path, audio_start_s, length_s, language)
    pcm, at = np.zeros(0, np.int16), 0
    while True:
        try:
            count, part = next(given)
        except StopIteration as end:
            return Sound(Waveform(pcm), *end.value)
        if not at:
            pcm = np.zeros(count, np.int16)
        pcm[at : at + len(part)] = part
        at += len(part)


def _in_parts(
    path: Path, audio_start_s: float | None, length_s: float, language: str | None
) -> Generator[tuple[int, npt.NDArray[np.int16]], None, tuple[float, float, str]]:
    sound = read_waveform(path, audio_start_s, length_s, language)
    assert isinstance(sound.samples, Waveform)
    for first in range(0, len(sound.samples), _SENT):
        yield len(sound.samples), sound.samples.pcm[first : first + _SENT]
    return sound.start_s, sound.end_s, sound.note


@dataclass(frozen=True)
class _Track:
    """An audio stream: its number in the file, its place among the file's tracks, and whether it is in the language."""

    index: int
    number: int
    spoken: bool


def _tracks(path: str | Path, language: str | None) -> list[_Track]:
    """The audio tracks in the order in which they are tried."""
    with open_container(path) as container:
        numbers = {stream.index: number for number, stream in enumerate(container.streams.audio, start=1)}
        found = [
            _Track(stream.index, numbers[stream.index], bool(language) and is_language(tag, str(language)))
            for stream in sound_tracks(container)
            for tag in [stream.metadata.get("language")]
        ]
    return sorted(found, key=lambda track: not track.spoken)


def _first_that_sounds(path: str | Path, tracks: Sequence[_Track], place: Place, language: str | None) -> Sound:
    """The first track that is not silent, else the loudest one that can be decoded.

    Raises:
        ExcludedItem: none can be; that of the first track.
    """
    loudest: tuple[float, _Track, Sound] | None = None
    problem: ExcludedItem | None = None
    for track in tracks:
        try:
            sound = _read_track(path, track.index, place)
        except ExcludedItem as error:
            problem = problem or error
            continue
        level = peak(sound.samples)
        if loudest is None or level > loudest[0]:
            loudest = level, track, sound
        if level >= _QUIET_PEAK:
            break
    if loudest is None:
        assert problem is not None
        raise problem
    _, track, sound = loudest
    which = f"sound of track {track.number} of {len(tracks)}" + (
        f", whose language is {language}" if track.spoken else ""
    )
    return replace(sound, note="; ".join(filter(None, (which, sound.note))))


def _read_track(path: str | Path, track: int, place: Place) -> Sound:
    levels: dict[Kind, ChannelLevels] = {}
    strip, trouble = decode_track(path, track, place, levels, {})
    louder = {kind: one for kind, level in levels.items() if (one := level.louder()) is not None}
    if louder:
        strip, trouble = decode_track(path, track, place, {}, louder)
    if not strip.runs:
        why = trouble or "its audio stream is empty"
        raise ExcludedItem(
            f"none of its sound can be decoded ({why})", "play it; if nothing is heard, convert its sound"
        )
    chosen = f"faint where its channels are mixed: channel {next(iter(louder.values())) + 1} is used" if louder else ""
    return _sound_of(strip, [trouble, chosen])


def _sound_of(strip: Strip, notes: list[str]) -> Sound:
    end = min(strip.end, len(strip.pcm))
    if end <= 0:
        raise ExcludedItem("its sound ends before its picture begins", "check the file; its audio and words stay empty")
    gaps = f"{strip.runs - 1} gaps in its sound filled with silence" if strip.runs > 1 else ""
    note = "; ".join(filter(None, (*notes, gaps)))
    return Sound(Waveform(strip.pcm[:end]), max(strip.start, 0) / RATE_HZ, end / RATE_HZ, note)


def spoken_in(video: Mapping[str, Any], configured: str) -> str | None:
    """Language of a video, ISO 639-1: the configured one, with ``auto`` that of its table; None where unknown."""
    return configured if configured != "auto" else video["language"] or None


def _no_sound() -> ExcludedItem:
    return ExcludedItem("the file has no sound", "record with a microphone; its audio and words stay empty")
