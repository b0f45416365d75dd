import numpy as np
import pytest

from sounding_clips import tone
from waver.features.audio.prosody import FLOOR_DB, REFERENCE_HZ, prosody

RATE = 16000


def voice(frequency_hz: float, seconds: float, level: float = 0.3) -> np.ndarray:
    """Harmonics that fall with their number, as of a voice."""
    return sum(tone(seconds, frequency_hz * k, level=level / k) for k in range(1, 9)).astype(np.float32)


def semitones(frequency_hz: float) -> float:
    return 12 * np.log2(frequency_hz / REFERENCE_HZ)


@pytest.mark.parametrize("sound", [voice, tone])
def test_steps_of_pitch_are_found(sound):
    steps_hz = (82.4, 110.0, 116.5, 220.0, 440.0)
    found = prosody(np.concatenate([sound(1.0, hz) if sound is tone else sound(hz, 1.0) for hz in steps_hz]), 120)
    assert (found.shape, found.dtype) == ((120, 3), np.float32)
    for number, hz in enumerate(steps_hz):
        inner = found[24 * number + 2 : 24 * number + 22]
        np.testing.assert_allclose(inner[:, 1], semitones(hz), atol=0.25)
        assert (inner[:, 2] == 1).all()


def test_a_glide_is_followed():
    hz = np.geomspace(100, 200, 4 * RATE)
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    found = prosody((0.3 * np.sin(phase) + 0.2 * np.sin(2 * phase)).astype(np.float32), 96)
    expected = semitones(100) + 12 * (np.arange(96) + 0.5) / 96
    np.testing.assert_allclose(found[1:-1, 1], expected[1:-1], atol=0.3)


def test_noise_has_no_pitch():
    noise = 0.2 * np.random.default_rng(0).standard_normal(10 * RATE).astype(np.float32)
    found = prosody(noise, 240)
    assert found[:, 2].mean() < 0.02
    assert (found[found[:, 2] == 0, 1] == 0).all()


def test_a_voice_in_some_noise_has_one():
    rng = np.random.default_rng(1)
    found = prosody(voice(130, 4.0) + 0.03 * rng.standard_normal(4 * RATE).astype(np.float32), 96)
    assert found[:, 2].mean() > 0.95
    np.testing.assert_allclose(found[found[:, 2] == 1, 1], semitones(130), atol=0.5)


def test_a_hum_in_the_background_is_no_voice():
    hum = tone(3.0, 100.0, level=0.002)
    hum[: RATE + RATE // 2] += voice(200, 1.5)
    found = prosody(hum, 72)
    assert (found[2:34, 2] == 1).all()
    assert not found[38:, 1:].any()


def test_levels_are_decibels_below_full_scale():
    found = prosody(np.concatenate([tone(1.0, level=0.5), tone(1.0, level=0.05), np.zeros(RATE, np.float32)]), 72)
    np.testing.assert_allclose(found[2:22, 0], 20 * np.log10(0.5 / 2**0.5), atol=0.05)
    np.testing.assert_allclose(found[26:46, 0], 20 * np.log10(0.05 / 2**0.5), atol=0.05)
    np.testing.assert_allclose(found[50:, 0], FLOOR_DB, atol=0.01)


@pytest.mark.parametrize("samples", [0, 1, 4000, 17_000, 60_000])
def test_frames_decide_the_length_and_nothing_is_nan(samples):
    found = prosody(voice(150, 4.0)[:samples], 25)
    assert found.shape == (25, 3)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[int(samples / RATE * 24) + 2 :, 0], FLOOR_DB, atol=0.01)
    assert not found[int(samples / RATE * 24) + 2 :, 2].any()


def test_a_long_recording_is_worked_on_in_parts_that_do_not_show():
    sound = np.tile(voice(150, 1.0), 90)
    np.testing.assert_allclose(prosody(sound, 2160)[2040:2060], prosody(sound, 2160)[24 * 80 : 24 * 80 + 20], atol=1e-3)
