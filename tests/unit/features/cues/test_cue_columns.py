from dataclasses import replace

import numpy as np
import pytest

from waver.features.cues.columns import COLUMNS, MIXED, PAUSES, VERBAL, VOICE, AnswerSignals, TimedWords, cue_features
from waver.features.cues.extract import affect_targets


def said(text: str, start_s: list[float], end_s: list[float], language: str = "en") -> TimedWords:
    times = (np.array(times_s, np.float32) for times_s in (start_s, end_s))
    return TimedWords(text.split(), *times, language, np.ones(len(start_s), bool))


def evenly(text: str, first_s: float = 0.0, each_s: float = 0.5, language: str = "en") -> TimedWords:
    """Words one after another, without a gap."""
    start_s = [first_s + each_s * number for number in range(len(text.split()))]
    return said(text, start_s, [start + each_s for start in start_s], language)


def heard(
    words: TimedWords | None, seconds: float, prosody: np.ndarray | None = None, mute: bool = False
) -> AnswerSignals:
    frames = round(24 * seconds)
    if prosody is None and not mute:
        prosody = np.tile(np.array([-20.0, 30.0, 1.0], np.float32), (frames, 1))
    return AnswerSignals(frames, words, prosody, np.full(frames, np.nan, np.float32), np.full(frames, not mute))


def columns(known: AnswerSignals) -> dict[str, np.ndarray]:
    return dict(zip(COLUMNS, cue_features(known)[0].T, strict=True))


def at(time_s: float) -> int:
    return int(24 * time_s)


THREE = said("I go home", [1.0, 3.0, 3.6], [1.5, 3.5, 4.0])
"""Silence to 1 s, a pause from 1.5 to 3 s, a gap of .1 s, and silence from 4 s on."""


def test_a_video_has_a_row_a_frame_and_nothing_is_nan():
    feature, valid = cue_features(heard(THREE, 6))
    assert (feature.shape, feature.dtype) == ((144, len(COLUMNS)), np.float32)
    assert len(set(COLUMNS)) == len(COLUMNS) == 25
    assert np.isfinite(feature).all()
    assert valid.all()


def test_a_pause_lies_between_two_words():
    found = columns(heard(THREE, 6))
    np.testing.assert_array_equal(np.flatnonzero(found["pause"]), np.arange(36, 72))
    middle_s = (np.arange(144) + 0.5) / 24
    np.testing.assert_allclose(found["pause_so_far"][36:72], middle_s[36:72] - 1.5, atol=1e-6)
    assert not found["pause_so_far"][:36].any()
    assert not found["pause_so_far"][72:].any()


def test_silence_is_counted_from_the_last_word():
    found = np.expm1(columns(heard(THREE, 6))["since_word"])
    middle_s = (np.arange(144) + 0.5) / 24
    np.testing.assert_allclose(found[:24], middle_s[:24], atol=1e-5)
    np.testing.assert_allclose(found[24:36], 0, atol=1e-6)
    np.testing.assert_allclose(found[36:72], middle_s[36:72] - 1.5, atol=1e-5)
    np.testing.assert_allclose(found[96:], middle_s[96:] - 4, atol=1e-5)


def test_shares_of_pause_are_means_over_the_frames_around():
    found = columns(heard(THREE, 6))
    pause = found["pause"]
    for name, half in (("pause_share_1s", 12), ("pause_share_3s", 36)):
        expected = [pause[max(i - half, 0) : i + half + 1].mean() for i in range(144)]
        np.testing.assert_allclose(found[name], expected, atol=1e-6)
    assert found["pause_share_1s"][54] == 1


def test_rate_latency_and_gaps():
    found = columns(heard(THREE, 6))
    np.testing.assert_allclose(found["latency"], np.log1p(1.0), atol=1e-6)
    middles = np.array([1.25, 3.25, 3.8])
    for i in (0, 40, 80, 143):
        low, high = max(i - 36, 0), min(i + 36, 143)
        count = sum(low <= at(middle) <= high for middle in middles)
        assert found["speech_rate"][i] == pytest.approx(24 * count / (high - low + 1), abs=1e-5)
    assert np.expm1(found["gap_mean"][at(2.25)]) == pytest.approx((1.5 + 0.1) / 2, abs=1e-4)
    assert np.expm1(found["gap_mean"][at(5.5)]) == pytest.approx(0.1, abs=1e-4)
    assert np.expm1(found["gap_longest"][at(2.25)]) == pytest.approx(1.5, abs=1e-4)
    np.testing.assert_array_equal(np.flatnonzero(found["gap_longest"] > 0.8), np.arange(0, 72 + 50))


def test_a_gap_below_a_quarter_of_a_second_is_no_pause():
    found = columns(heard(said("so it is", [0.0, 0.74, 1.26], [0.5, 1.0, 1.5]), 2))
    assert not found["pause"][: at(1.0)].any()
    assert found["pause"][at(1.15)] == 1


@pytest.mark.parametrize(("before", "hedge", "language"), [("yes", "maybe", "en"), ("oui", "peut-être", "fr")])
def test_a_hedge_peaks_where_it_is_said(before, hedge, language):
    words = evenly(f"{f'{before} ' * 20}{hedge}{f' {before}' * 9}", language=language)
    found = columns(heard(words, 15))["hedge"]
    top = np.flatnonzero(found)
    assert found.max() == 1
    assert top.mean() == pytest.approx(at(10.25), abs=1)
    assert len(top) == 101
    assert not columns(heard(replace(words, language="de"), 15))["hedge"].any()


def test_an_expression_of_several_words_lies_in_their_middle():
    words = evenly("yes " * 10 + "kind of a thing it is here now then there " + "yes " * 10)
    top = np.flatnonzero(columns(heard(words, 16))["hedge"])
    assert top.mean() == pytest.approx(at(5.5), abs=1)
    assert len(top) == 101


def test_each_list_has_its_column_and_feelings_are_compared():
    text = "um well maybe but never wait the the love hate love"
    found = columns(heard(evenly(text, each_s=0.1), 1.1))
    expected = {
        "filler_sound": 1, "filler_word": 1, "hedge": 1, "contrast": 1, "negation": 1, "correction": 1, "repetition": 1,
        "positive": 2, "negative": 1, "kaplan": 1, "griffin": 0.5,
    }  # fmt: skip
    assert {name: float(found[name][12]) for name in (*VERBAL, *MIXED)} == expected


def test_windows_end_with_the_video():
    found = columns(heard(evenly("maybe"), 1))
    assert (found["hedge"] == 1).all()
    assert found["speech_rate"][0] == pytest.approx(1.0)


def test_voice_is_measured_beside_the_speaker_and_pauses_do_not_count():
    prosody = np.zeros((144, 3), np.float32)
    prosody[:, 0] = -70
    prosody[:72] = (-20, 30, 1)
    prosody[72:96] = (-14, 34, 1)
    found = columns(heard(THREE, 6, prosody))
    np.testing.assert_allclose(found["level"][[0, 80, 120]], [0, 6, -40])
    np.testing.assert_allclose(found["pitch"][[0, 80, 120]], [0, 4, 0])
    np.testing.assert_allclose(found["voicing"][[20, 143]], [1, 0])
    values = prosody[60:85, 1] - 30
    assert found["pitch_deviation"][72] == pytest.approx(values.std(), abs=1e-5)
    assert found["level_deviation"][72] == pytest.approx(np.where(np.arange(60, 85) < 72, 0, 6).std(), abs=1e-5)
    np.testing.assert_allclose(found["pitch_deviation"][130:], 0)
    louder = prosody + np.array([6, 5, 0], np.float32) * (prosody[:, 2:] > 0)
    np.testing.assert_allclose(columns(heard(THREE, 6, louder))["pitch"], found["pitch"], atol=1e-5)


def test_a_voice_that_is_never_voiced_has_no_pitch():
    prosody = np.tile(np.array([-30.0, 0.0, 0.0], np.float32), (48, 1))
    found = columns(heard(None, 2, prosody))
    assert not any(found[name].any() for name in VOICE)


def test_sound_in_which_nobody_speaks():
    feature, valid = cue_features(heard(said("", [], []), 3))
    found = dict(zip(COLUMNS, feature.T, strict=True))
    assert valid.all()
    np.testing.assert_allclose(np.expm1(found["latency"]), 3, atol=1e-5)
    assert not any(found[name].any() for name in (*VERBAL, *MIXED, "pause", "speech_rate", "gap_mean", "gap_longest"))
    voice, words = affect_targets(heard(said("", [], []), 3), feature, None)
    assert np.isnan(voice).all()
    assert np.isnan(words).all()


def test_words_of_a_transcript_tell_of_no_pause():
    feature, valid = cue_features(heard(THREE, 6, mute=True))
    found = dict(zip(COLUMNS, feature.T, strict=True))
    assert valid.all()
    assert not any(found[name].any() for name in (*VOICE, *PAUSES))
    known = heard(evenly("maybe I love it"), 2, mute=True)
    feature, _ = cue_features(known)
    assert (feature[:, COLUMNS.index("hedge")] == 1).all()
    voice, words = affect_targets(known, feature, None)
    assert np.isnan(voice).all()
    np.testing.assert_allclose(words, [[0.5, 0, 0.5]] * 48)


def test_frames_without_sound_have_no_cues():
    known = heard(THREE, 6)
    known.sounding[100:] = False
    feature, valid = cue_features(known)
    assert not feature[100:].any()
    np.testing.assert_array_equal(valid, known.sounding)


def test_targets_of_affect():
    start_s = [0.5, 1, 1.5, 2, 4, 4.5, 5, 5.5, 6]
    words = said("Um I love it. I hate and hate this.", start_s, [start + 0.5 for start in start_s])
    known = heard(words, 10)
    feature, _ = cue_features(known)
    voice, text = affect_targets(known, feature, None)
    share = feature[:, COLUMNS.index("pause_share_1s")]
    assert np.isnan(voice[:, :2]).all()
    known_frames = np.flatnonzero(~np.isnan(voice[:, 2]))
    np.testing.assert_array_equal(known_frames, np.arange(12, 156), "from the first word to the last")
    np.testing.assert_array_equal(voice[known_frames, 2], share[known_frames])
    assert voice[at(3.2), 2] == 1
    np.testing.assert_allclose(text[at(1.2)], [0.5, 0, 0.5])
    np.testing.assert_allclose(text[at(5.2)], [0, 0.75, 0])
    assert np.isnan(text[at(3.2)]).all(), "nobody speaks"
    assert np.isnan(text[at(8)]).all()


def test_a_voice_is_positive_or_negative_where_its_valence_is_known():
    known = replace(heard(said("", [], []), 1), valence=np.linspace(0, 1, 24, dtype=np.float32))
    known.sounding[20:] = False
    voice, _ = affect_targets(known, cue_features(known)[0], None)
    np.testing.assert_allclose(voice[:20, 0] - voice[:20, 1], 2 * known.valence[:20] - 1, atol=1e-6)
    assert (voice[:20, :2].min(axis=1) == 0).all()
    assert np.isnan(voice[20:]).all()
    assert np.isnan(voice[:, 2]).all(), "no word, no pause"


def test_a_transcript_without_full_stops_is_cut_into_runs():
    words = evenly("love " + "so " * 59, each_s=0.25)
    known = heard(words, 15)
    _, text = affect_targets(known, cue_features(known)[0], None)
    np.testing.assert_allclose(text[: at(6.25), 0], 0.5)
    np.testing.assert_allclose(text[at(6.25) :, 0], 0)


def test_pauses_are_known_where_the_words_around_have_times_of_their_own():
    start_s = [1.0, 2.0, 3.0, 12.0, 12.5]
    words = said("so it goes on now", start_s, [at + 0.5 for at in start_s])
    known = replace(words, measured=np.array([True, True, True, False, False]))
    frames = 20 * 24
    signals = AnswerSignals(
        frames, known, np.zeros((frames, 3), np.float32), np.full(frames, np.nan), np.ones(frames, bool)
    )
    everywhere = cue_features(replace(signals, speech=words))[0]
    feature = cue_features(signals)[0]
    pauses = [COLUMNS.index(name) for name in PAUSES]
    # unknown from the end of the last word that is known, less what the window of its neighbours reaches
    end = round((3.5 - 4.2 / 2) * 24)
    assert not feature[end + 1 :, pauses].any()
    np.testing.assert_array_equal(feature[: end - 1], everywhere[: end - 1])
    assert feature[: end - 1, pauses].any()
    assert signals.masked == []
    first = cue_features(replace(signals, speech=replace(words, measured=np.array([False, True, True, True, True]))))[0]
    assert not first[:, COLUMNS.index("latency")].any(), "the first word's time is not known"
    assert first[-24:, COLUMNS.index("since_word")].all()
