"""The voice is heard whatever channel and track it is on, and the note says where it was."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from sounding_clips import tone, write_videos
from waver.config.sections import AudioConfig
from waver.datasets.languages import ISO_639_1, is_language
from waver.features.audio.extract import extract_audio
from waver.features.clock import frame_clock
from waver.features.samples import RATE_HZ
from waver.features.waveform import Sound, read_waveform
from waver.io.tables import FEATURE_INDEX, read_table
from waver.io.zarr_store import read_store

VOICE = tone(1.0, level=0.5)
OTHER = tone(1.0, 700, level=0.5)
SILENT = np.zeros_like(VOICE)


def write(
    path: Path,
    tracks: Sequence[tuple[str, Sequence[np.ndarray]]],
    default: int | None = None,
    languages: Sequence[str] = (),
) -> Path:
    """A second of black picture, and tracks of (layout, channels) at 16 kHz; ``default`` is flagged."""
    with av.open(str(path), "w") as out:
        picture = out.add_stream("mpeg4", rate=24)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        codec = "pcm_s16le" if path.suffix == ".mkv" else "aac"
        sounds = [out.add_stream(codec, rate=RATE_HZ, layout=layout) for layout, _ in tracks]
        for stream, language in zip(sounds, languages, strict=False):
            stream.metadata["language"] = language
        for number, stream in enumerate(sounds):
            flag = type(stream.disposition).default
            stream.disposition = flag if number == default else type(stream.disposition)(0)
        for number in range(24):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 24)
            out.mux(picture.encode(frame))
        for stream, (layout, channels) in zip(sounds, tracks, strict=True):
            whole = np.round(np.stack(channels) * 32767).astype(np.int16)
            for first in range(0, whole.shape[1], 1024):
                part = np.ascontiguousarray(whole[:, first : first + 1024].T.reshape(1, -1))
                frame = av.AudioFrame.from_ndarray(part, format="s16", layout=layout)
                frame.sample_rate, frame.time_base, frame.pts = RATE_HZ, Fraction(1, RATE_HZ), first
                out.mux(stream.encode(frame))
        for stream in (picture, *sounds):
            out.mux(stream.encode(None))
    return path


def heard(path: Path, language: str | None = None) -> Sound:
    clock = frame_clock(path)
    return read_waveform(path, clock.audio_start_s, clock.frames / 24, language)


def level(sound: Sound, frequency_hz: float = 1000.0) -> float:
    """Amplitude of a tone."""
    samples = sound.samples[1600:14400]
    turn = np.exp(-2j * np.pi * frequency_hz * np.arange(len(samples)) / RATE_HZ)
    return float(2 * np.abs((samples * turn).mean()))


CANCELS = "faint where its channels are mixed: channel {} is used"
CHANNELS = {
    "both alike": ("stereo", (VOICE, VOICE), 0.5, ""),
    "opposite phase": ("stereo", (VOICE, -VOICE), 0.5, CANCELS.format(1)),
    "opposite phase, one fainter": ("stereo", (-0.6 * VOICE, VOICE), 0.5, CANCELS.format(2)),
    "left is dead": ("stereo", (SILENT, VOICE), 0.5, CANCELS.format(2)),
    "right is dead": ("stereo", (VOICE, SILENT), 0.5, CANCELS.format(1)),
    "opposite phase from the middle on": (
        "stereo",
        (VOICE, np.concatenate([VOICE[:8000], -VOICE[8000:]])),
        0.5,
        CANCELS.format(1),
    ),
    "two voices in turn": (
        "stereo",
        (np.concatenate([VOICE[:8000], SILENT[8000:]]), np.concatenate([SILENT[:8000], OTHER[8000:]])),
        0.125,
        "",
    ),
    "two voices at once": ("stereo", (VOICE, OTHER), 0.25, ""),
    "surround, centre alone": ("5.1", (SILENT, SILENT, VOICE, SILENT, SILENT, SILENT), 0.5, CANCELS.format(3)),
    "surround, loud bass": ("5.1", (SILENT, SILENT, 0.2 * VOICE, VOICE, SILENT, SILENT), 0.1, CANCELS.format(3)),
    "quad in opposite phase": ("quad", (VOICE, -VOICE, SILENT, SILENT), 0.5, CANCELS.format(1)),
    "all silent": ("stereo", (SILENT, SILENT), 0.0, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANNELS)
def test_channels(tmp_path, name):
    layout, channels, expected, note = CHANNELS[name]
    sound = heard(write(tmp_path / "a.mkv", [(layout, channels)]))
    assert sound.note == note
    assert level(sound) == pytest.approx(expected, rel=0.2 if name.startswith("two") else 0.01, abs=0.001)
    assert len(sound.samples) == pytest.approx(RATE_HZ, abs=32)


def test_opposite_phase_through_a_lossy_codec(tmp_path):
    sound = heard(write(tmp_path / "a.mp4", [("stereo", (VOICE, -VOICE))]))
    assert sound.note == CANCELS.format(1)
    assert level(sound) == pytest.approx(0.5, rel=0.1)


MONO, MUTE, NEXT = ("mono", (VOICE,)), ("mono", (SILENT,)), ("mono", (OTHER,))
TRACKS = {
    "the default": ([NEXT, MONO], 1, 2),
    "the first, without a default": ([MONO, NEXT], None, 1),
    "the default is silent": ([MUTE, MONO], 0, 2),
    "the default in the middle is silent": ([MONO, MUTE, NEXT], 1, 1),
    "nothing but noise of the converter": ([("mono", (1e-4 * OTHER,)), MONO], 0, 2),
    "quiet, and nothing else": ([MUTE, ("mono", (5e-4 * VOICE,))], 0, 2),
    "all silent": ([MUTE, MUTE], None, 1),
}


@pytest.mark.parametrize("name", TRACKS)
def test_tracks(tmp_path, name):
    tracks, default, taken = TRACKS[name]
    sound = heard(write(tmp_path / "a.mkv", tracks, default))
    assert sound.note == f"sound of track {taken} of {len(tracks)}"
    assert sound.silent == (name == "all silent")
    assert name == "quiet, and nothing else" or sound.silent or level(sound) == pytest.approx(0.5, rel=0.01)


LANGUAGES = {
    "the second is in it": ("a.mkv", [NEXT, MONO], ("eng", "fre"), "fr", "2 of 2, whose language is fr"),
    "by its other code, in an MP4": ("a.mp4", [NEXT, MONO], ("eng", "fra"), "fr", "2 of 2, whose language is fr"),
    "with a region": ("a.mkv", [NEXT, MONO], ("en-GB", "fr-CA"), "fr", "2 of 2, whose language is fr"),
    "before the default": ("a.mkv", [NEXT, NEXT, MONO], ("eng", "eng", "deu"), "de", "3 of 3, whose language is de"),
    "two are, and one is silent": ("a.mkv", [MUTE, MONO], ("fra", "fra"), "fr", "2 of 2, whose language is fr"),
    "silent": ("a.mkv", [MONO, MUTE], ("eng", "fra"), "fr", "1 of 2"),
    "nobody says": ("a.mkv", [MONO, NEXT], (), "fr", "1 of 2"),
    "none is in it": ("a.mkv", [MONO, NEXT], ("eng", "und"), "fr", "1 of 2"),
    "not asked for": ("a.mkv", [MONO, NEXT], ("eng", "fra"), None, "1 of 2"),
}


@pytest.mark.parametrize("name", LANGUAGES)
def test_of_two_languages_the_spoken_one_is_heard(tmp_path, name):
    file, tracks, languages, language, taken = LANGUAGES[name]
    sound = heard(write(tmp_path / file, tracks, 0, languages), language)
    assert sound.note == f"sound of track {taken}"
    assert level(sound) == pytest.approx(0.5, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(("listed", "configured", "track"), [("fr", "auto", 2), (None, "auto", 1), ("fr", "en", 1)])
def test_the_stores_hold_the_sound_in_the_language_of_the_video(tmp_path, listed, configured, track):
    """That of its table, as ``waver predict --language`` and lists give it, or the configured one of all."""
    clip = write(tmp_path / "a.mkv", [NEXT, MONO], 0, ("eng", "fra"))
    write_videos(tmp_path / "videos.parquet", [clip], tmp_path, language=listed)
    config, index = AudioConfig(), tmp_path / "i.parquet"
    extract_audio(tmp_path / "videos.parquet", tmp_path, None, tmp_path / "s", index, config, "1", configured)
    (row,) = read_table(index, FEATURE_INDEX)
    assert row["note"].startswith(f"sound of track {track} of 2")
    loudest = read_store(tmp_path / "s" / "82001" / "82001_Q1.zarr")["logmel"].argmax(axis=1)
    assert (loudest[10] == 19) == (track == 2), "the band of 1000 Hz"


def test_codes_of_languages():
    assert len(ISO_639_1) == 184
    assert all(is_language(code, code) for code in ISO_639_1)
    assert [is_language(tag, "fr") for tag in ("fra", "fre", "FR", "fr_CA", "en", "frr", "", None)] == [
        True, True, True, True, False, False, False, False,
    ]  # fmt: skip


def test_a_track_that_starts_later_than_the_first(tmp_path):
    """All tracks are placed by one clock."""
    path = tmp_path / "a.mkv"
    write(path, [MUTE, ("mono", (np.concatenate([SILENT[:4000], VOICE]),))])
    sound = heard(path)
    assert np.flatnonzero(np.abs(sound.samples) > 0.05)[0] / RATE_HZ == pytest.approx(0.25, abs=0.002)


UNKNOWN = {
    "a.mkv": [(b"A_PCM/INT/LIT", b"A_NO_CODEC_XY")],
    "a.mp4": [(b"mp4a", b"apac"), (b"esds", b"xxxx")],
}
"""Changes of the first audio track to a codec that nobody knows, e.g. a phone's spatial sound."""


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_track_in_a_codec_that_nobody_knows(tmp_path, name):
    path = write(tmp_path / name, [NEXT, MONO])
    data, at = path.read_bytes(), 0
    for known, other in UNKNOWN[name]:
        at = data.index(known, at)
        data = data[:at] + other + data[at + len(other) :]
    path.write_bytes(data)
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context is None
    sound = heard(path)
    assert sound.note == "sound of track 2 of 2"
    assert level(sound) == pytest.approx(0.5, rel=0.1)
