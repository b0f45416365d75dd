from pathlib import Path

import numpy as np
import pytest
import soxr

from sounding_clips import tone, write_sounding
from waver.errors import ExcludedItem
from waver.features.clock import frame_clock
from waver.features.samples import RATE_HZ
from waver.features.waveform import Sound, read_waveform


def read(path: Path) -> Sound:
    clock = frame_clock(path)
    return read_waveform(path, clock.audio_start_s, clock.frames / 24)


def onset_s(sound: Sound) -> float:
    return float(np.flatnonzero(np.abs(sound.samples) > 0.05)[0]) / RATE_HZ


def test_sound_of_the_same_rate_comes_back_unchanged(tmp_path):
    wave = tone(2.0)
    sound = read(write_sounding(tmp_path / "a.mkv", 2, [(0.0, wave)]))
    assert sound.samples.dtype == np.float32
    np.testing.assert_array_equal(sound.samples, np.round(wave * 32767) / 32768)
    assert (sound.start_s, sound.end_s, sound.note, sound.silent) == (0, 2, "", False)


def test_late_sound_is_preceded_by_silence(tmp_path):
    sound = read(write_sounding(tmp_path / "late.mkv", 2, [(0.5, tone(1.5))]))
    assert not sound.samples[: round(0.499 * RATE_HZ)].any()
    assert onset_s(sound) == pytest.approx(0.5, abs=0.002)
    assert sound.start_s == pytest.approx(0.5, abs=0.001)


def test_early_sound_is_cut(tmp_path):
    quiet_then_tone = np.concatenate([tone(0.75, level=0.01), tone(1.5)])
    sound = read(write_sounding(tmp_path / "early.mkv", 2, [(-0.5, quiet_then_tone)]))
    assert onset_s(sound) == pytest.approx(0.25, abs=0.002)
    assert sound.start_s == 0


def test_a_gap_stays_a_gap(tmp_path):
    sound = read(write_sounding(tmp_path / "gap.mkv", 2, [(0.0, tone(0.6)), (1.0, tone(1.0))]))
    assert not sound.samples[round(0.61 * RATE_HZ) : round(0.99 * RATE_HZ)].any()
    assert np.abs(sound.samples[round(1.01 * RATE_HZ) :]).max() > 0.4
    assert sound.note == "1 gaps in its sound filled with silence"


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "aac"), ("a.webm", "libopus")])
def test_codec_priming_does_not_shift_the_sound(tmp_path, name, codec):
    click = np.concatenate([np.zeros(48000, np.float32), tone(1.0, 440, 48000)])
    path = tmp_path / name
    # a WebM holds no H.264, but Matroska holds Opus
    sound = read(
        write_sounding(path.with_suffix(".mkv") if codec == "libopus" else path, 2, [(0.0, click)], 48000, codec)
    )
    assert onset_s(sound) == pytest.approx(1.0, abs=0.01)


def test_resampling_agrees_with_soxr(tmp_path):
    rng = np.random.default_rng(0)
    wave = np.convolve(rng.standard_normal(44100 * 2), np.hanning(20), "same").astype(np.float32)
    wave *= 0.3 / np.abs(wave).max()
    sound = read(write_sounding(tmp_path / "a.mkv", 2, [(0.0, wave)], 44100))
    expected = soxr.resample(wave, 44100, RATE_HZ, "HQ")
    inner = slice(1600, 30000)
    error = sound.samples[inner] - expected[inner]
    assert np.sqrt(np.mean(error**2)) < 0.01 * np.sqrt(np.mean(expected[inner] ** 2))


def test_opposite_phase_is_heard(tmp_path):
    sound = read(write_sounding(tmp_path / "a.mkv", 2, [(0.0, tone(2.0))], layout="stereo"))
    assert not sound.silent
    assert len(sound.samples) == 2 * RATE_HZ


def test_sound_is_kept_for_a_second_after_the_picture(tmp_path):
    sound = read(write_sounding(tmp_path / "a.mkv", 2, [(0.0, tone(5.0))]))
    assert sound.end_s == 3
    assert len(sound.samples) == 3 * RATE_HZ


def test_a_file_without_sound_is_set_aside(tmp_path):
    with pytest.raises(ExcludedItem, match="no sound"):
        read(write_sounding(tmp_path / "mute.mkv", 1))


def test_sound_that_ends_before_the_picture_is_set_aside(tmp_path):
    with pytest.raises(ExcludedItem, match="ends before"):
        read(write_sounding(tmp_path / "a.mkv", 1, [(-0.9, tone(0.5))]))


def test_a_file_cut_short_gives_what_is_there(tmp_path):
    path = write_sounding(tmp_path / "a.mkv", 2, [(0.0, tone(2.0))])
    data = path.read_bytes()
    # the sound is written before the picture; keep the end of the file, break a stretch of the middle
    broken = data[: len(data) // 3] + bytes(4000) + data[len(data) // 3 + 4000 :]
    path.write_bytes(broken)
    sound = read_waveform(path, 0.0, 2.0)
    assert 0 < len(sound.samples) <= 3 * RATE_HZ
    assert np.abs(sound.samples).max() > 0.4


def test_sound_that_the_disk_does_not_give_is_not_set_aside(tmp_path):
    (tmp_path / "a.mp4").symlink_to("/proc/self/mem")  # reading its first byte is an input/output error
    with pytest.raises(OSError, match="Input/output error"):
        read_waveform(tmp_path / "a.mp4", 0.0, 1.0)
