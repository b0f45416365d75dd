"""What is held of a long recording does not grow with it: its sound is read, measured and listened to in parts."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor
from test_recogniser import Fake, segment

from sounding_clips import tone, write_sounding
from waver.features import level, samples
from waver.features.audio import logmel, prosody
from waver.features.audio.windows import scale_of
from waver.features.level import is_silent, levelled, stretches
from waver.features.recogniser import transcribe
from waver.features.samples import RATE_HZ, Waveform
from waver.features.spectrogram import SpectrogramInParts
from waver.features.spoken import Piece, end_to_end, spoken
from waver.features.waveform import _in_parts, read_in_worker, read_waveform


class Watched(Waveform):
    """A waveform that knows the longest stretch that was taken of it."""

    longest = 0

    def __getitem__(self, part: slice) -> np.ndarray:
        found = super().__getitem__(part)
        self.longest = max(self.longest, len(found))
        return found


def noise(seconds: float) -> np.ndarray:
    return (np.random.default_rng(0).standard_normal(round(seconds * RATE_HZ)) * 3000).astype(np.int16)


@pytest.fixture
def _small_parts(monkeypatch):
    monkeypatch.setattr(samples, "_PART", RATE_HZ // 2)
    monkeypatch.setattr(logmel, "_BLOCK", 40)
    monkeypatch.setattr(prosody, "_BLOCK", 8)
    monkeypatch.setattr(level, "STRETCH_S", 2)
    monkeypatch.setattr(level, "_SOUGHT_S", 1)


MEASURES = {
    "log-mel": logmel.padded_log_mel,
    "statistics": lambda given: logmel.patch_statistics(
        logmel.padded_log_mel(given), logmel.patch_starts(60, len(given) // 160 + 98)
    ),
    "prosody": lambda given: prosody.prosody(given, 60),
    "silent": lambda given: is_silent(given),
    "level": lambda given: levelled(given)[:100],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MEASURES)
def test_parts_make_no_difference(name, monkeypatch, request):
    whole = MEASURES[name](Waveform(noise(2.5))[:])
    request.getfixturevalue("_small_parts")
    np.testing.assert_array_equal(MEASURES[name](Waveform(noise(2.5))), whole)


@pytest.mark.usefixtures("_small_parts")
def test_what_is_held_does_not_grow():
    held = {}
    for seconds in (2.5, 10.0):
        found = Watched(noise(seconds))
        for measure in MEASURES.values():
            measure(found)
        scale_of(found)
        list(stretches(found))
        held[seconds] = found.longest
    assert held[10.0] == held[2.5] <= RATE_HZ, "the end of a stretch is sought in a second"


def test_a_scale_of_parts():
    given = Waveform(noise(3.0), gain=2.0)
    scale = scale_of(given)
    assert scale.mean == pytest.approx(given[:].mean(), abs=1e-6)
    assert scale.deviation == pytest.approx(given[:].std(), rel=1e-4)


def test_the_sound_comes_in_parts_from_the_worker(tmp_path):
    clip = write_sounding(tmp_path / "a.mkv", 3, [(0.5, tone(2.0))])
    sound, whole = read_in_worker(clip, 0.5, 3.0), read_waveform(clip, 0.5, 3.0)
    assert isinstance(whole.samples, Waveform)
    assert whole.samples.pcm.dtype == np.int16, "an hour takes 115 MB"
    np.testing.assert_array_equal(sound.samples, whole.samples)
    assert (sound.start_s, sound.end_s, sound.note) == (whole.start_s, whole.end_s, whole.note)


def test_parts_of_a_sound(tmp_path, monkeypatch):
    monkeypatch.setattr("waver.features.waveform._SENT", 5000)
    clip = write_sounding(tmp_path / "a.mkv", 1, [(0.0, tone(1.0))])
    assert {len(part) for _, part in _in_parts(clip, 0.0, 1.0, None)} == {5000, 1000}


@pytest.mark.usefixtures("_small_parts")
def test_a_long_recording_is_listened_to_between_its_pauses():
    """Each stretch ends in the pause; the first with words decides about the language of all."""
    speech, pause = noise(1.5), np.zeros(RATE_HZ // 2, np.int16)
    given = Watched(np.concatenate([speech, pause, speech, pause, speech]))
    ends = [end / RATE_HZ for _, end in stretches(given)]
    assert len(ends) == 3
    assert 1.5 < ends[0] < 2.0
    assert 3.5 <= ends[1] < 4.0
    model = Fake(segment("Hello there."), languages=(("fr", 0.9), ("en", 0.1)))
    found = transcribe(model, given, None, 1)
    assert found.words == ["Hello", "there."] * 3
    np.testing.assert_allclose(found.start_s[::2] - found.start_s[0], [0.0, *ends[:2]], atol=1e-5)
    assert found.language == "fr"
    assert [one["language"] for one in model.asked] == [None, "fr", "fr"]
    assert given.longest <= 2 * RATE_HZ


def test_stretches_end_to_end():
    nobody, one = spoken([], ""), spoken([Piece(" Oui", 0.0, 1.0)], "fr")
    found = end_to_end([(0.0, nobody), (600.0, one), (1200.0, one)])
    assert (found.words, found.language) == (["Oui", "Oui"], "fr")
    assert found.start_s.tolist() == [600.0, 1200.0]
    assert end_to_end([(0.0, nobody)]) is nobody


@pytest.mark.parametrize(("bands", "seconds"), [(80, 61.3), (128, 0.5), (80, 1e-4)])
def test_the_recognisers_spectrogram_is_whispers_to_the_bit(bands, seconds):
    sound = Waveform(noise(seconds))[:]
    given = FeatureExtractor(feature_size=bands)(sound)
    found = SpectrogramInParts(feature_size=bands)(sound)
    assert found.dtype == given.dtype
    np.testing.assert_array_equal(found, given)


def test_a_minute_more_costs_the_recognisers_spectrogram_few_megabytes():
    peaks = []
    for minutes in (1, 3):
        sound = np.full(60 * minutes * RATE_HZ, 0.1, np.float32)
        tracemalloc.start()
        SpectrogramInParts()(sound)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (peaks[1] - peaks[0]) / 2 < 20e6, "FeatureExtractor takes over 50 MB"
