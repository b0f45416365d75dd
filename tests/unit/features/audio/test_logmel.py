import librosa
import numpy as np
import pytest

from sounding_clips import tone
from waver.features.audio.logmel import log_mel, mel_matrix, padded_log_mel, patch_starts, patch_statistics, patches


def test_mel_matrix_has_the_published_sum():
    weights = mel_matrix()
    assert weights.shape == (257, 64)
    assert weights.sum() == pytest.approx(230.9136, abs=5e-5)
    assert not weights[0].any()


@pytest.mark.slow
def test_mel_matrix_is_near_librosas_htk_filters():
    # librosa's triangles are straight in Hz, VGGish's in mel: the same bands, slightly other slopes
    filters = librosa.filters.mel(sr=16000, n_fft=512, n_mels=64, fmin=125, fmax=7500, htk=True, norm=None)
    weights = mel_matrix().T
    assert np.abs(weights - filters).max() < 0.06
    wide = filters.max(axis=1) > 0.9
    np.testing.assert_array_equal(weights.argmax(1)[wide], filters.argmax(1)[wide])


def test_silence_is_exactly_the_offset():
    track = log_mel(np.zeros(16000, np.float32))
    assert track.dtype == np.float32
    np.testing.assert_array_equal(track, np.float32(np.log(0.01)))


def test_a_tone_of_1_khz_peaks_in_band_19():
    assert set(log_mel(tone(1.0)).argmax(axis=1)) == {19}


def test_the_spectrum_is_a_magnitude():
    loud, soft = (np.exp(log_mel(tone(0.5, level=level))) - 0.01 for level in (0.5, 0.25))
    np.testing.assert_allclose(loud[:, 19], 2 * soft[:, 19], rtol=1e-4)


def test_two_seconds_give_298_rows_and_49_examples():
    track = padded_log_mel(tone(2.0))
    assert len(track) == 298
    starts = patch_starts(60, len(track))
    np.testing.assert_array_equal(starts[:8], [0, 4, 8, 12, 17, 21, 25, 29])
    assert len(set(starts)) == 49
    assert starts[48] == 200
    assert (starts[48:] == 200).all(), "the last example is repeated"


def test_every_patch_lies_inside_the_track():
    for rows in range(96, 400):
        assert patch_starts(100, rows).max() + 96 <= rows


def test_starts_round_halves_to_even():
    assert patch_starts(10, 1000)[[3, 9]].tolist() == [12, 38]  # 12.5 and 37.5


def test_a_track_shorter_than_a_patch_is_refused():
    with pytest.raises(ValueError, match="no patch"):
        patch_starts(3, 95)


def test_padding_repeats_the_last_value():
    samples = np.concatenate([np.zeros(8000), np.full(8000, 0.5)]).astype(np.float32)
    expected = log_mel(np.concatenate([samples, np.full(16000, 0.5, np.float32)]))
    np.testing.assert_array_equal(padded_log_mel(samples), expected)


def test_blocks_do_not_show():
    samples = np.random.default_rng(0).standard_normal(160 * 8300 + 400).astype(np.float32)
    whole = log_mel(samples)
    np.testing.assert_array_equal(whole[8150:8250], log_mel(samples[160 * 8150 :])[:100])


def test_patch_statistics_equal_those_of_the_patches():
    rng = np.random.default_rng(1)
    track = (rng.standard_normal((500, 64)) * 2 - 3).astype(np.float32)
    starts = patch_starts(90, len(track))
    cut = patches(track, starts).astype(np.float64)
    assert cut.shape == (90, 96, 64)
    np.testing.assert_array_equal(patches(track, starts)[7], track[29:125])
    expected = np.concatenate([cut.mean(1), cut.std(1)], axis=1)
    np.testing.assert_allclose(patch_statistics(track, starts), expected, atol=1e-6)


def test_patch_statistics_of_silence_have_no_spread():
    found = patch_statistics(padded_log_mel(np.zeros(32000, np.float32)), patch_starts(48, 298))
    np.testing.assert_allclose(found[:, :64], np.log(0.01), rtol=1e-6)
    assert not found[:, 64:].any()


def test_a_rising_tone_has_the_values_of_the_released_front_end():
    """Computed once by torchvggish 0.2 (mel_features, vggish_params), which the papers' code builds on."""
    place = np.arange(16000)
    samples = np.round(8000 * np.sin(2 * np.pi * (200 + 900 * place / 16000) * place / 16000)) / 32768
    found = log_mel(samples.astype(np.float32))
    known = [
        [1.07783, -0.07656, -4.51600, -4.57243, -4.54422],
        [-4.01253, -2.51371, -4.08866, -4.56646, -4.52099],
        [-4.57909, -4.51478, 1.34093, -4.41625, -4.54169],
        [-4.58709, -4.58795, -4.49839, 1.51130, -4.51717],
    ]
    np.testing.assert_allclose(found[np.ix_([0, 17, 50, 97], [0, 5, 20, 31, 63])], known, atol=1e-5)
    assert found.sum(dtype=np.float64) == pytest.approx(-23851.0157, abs=1e-2)
