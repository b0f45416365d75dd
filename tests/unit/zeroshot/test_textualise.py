"""Cues as sentences: found where they are, against the person's own baseline, and told without reading templates."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from speech_stores import write_speech_store
from waver.features.cues.columns import COLUMNS, TimedWords
from waver.io.zarr_store import new_store
from waver.models.text.cue_counts import CUE_NAMES
from waver.zeroshot.cue_signals import SIGNALS, AnswerCues, answer_cues, baseline
from waver.zeroshot.textualise import CueRule, as_sentences, as_timeline, cue_rules, detected_cues, findable, said_cues


def answer(spoken=None, frames=240, **signals):
    return AnswerCues(frames, {name: np.asarray(values, float) for name, values in signals.items()}, spoken)


def wave(frames=240, level=0.0):
    return level + np.sin(np.arange(frames) / 5)


def said(words, start_s, measured=True):
    start = np.array(start_s, np.float32)
    return TimedWords(words.split(), start, start + np.float32(0.2), "en", np.full(len(start), measured))


def cues_of(one, *others):
    return [(found.rule.cue, found.start_s, found.end_s) for found in detected_cues(one, baseline([one, *others]))]


def test_a_cue_is_a_deviation_from_the_persons_own_mean():
    turned = wave()
    turned[48:96] = 6.0
    found = detected_cues(answer(head_turn=turned), baseline([answer(head_turn=turned)]))
    assert [(one.rule.cue, one.start_s, one.end_s) for one in found] == [("Look away", 2.0, 4.0)]
    assert found[0].phrase.startswith("turns the head aside (+1.9 sd)")
    assert cues_of(answer(head_turn=wave(level=6.0))) == []  # who always looks aside does not look away


def test_a_person_of_several_videos_has_one_baseline():
    loud, quiet = answer(level=wave(level=9.0)), answer(level=wave())
    assert cues_of(loud) == []
    assert {name for name, _, _ in cues_of(loud, quiet, quiet, quiet, quiet)} == {"Volume"}


def test_short_stretches_are_no_cue_short_gaps_are_bridged_and_unknown_frames_are_none():
    smile = np.zeros(240)
    smile[10:15] = 0.9
    smile[48:60] = smile[63:72] = 0.9
    assert cues_of(answer(smile=smile)) == [("Smile", 2.0, 3.0)]
    smile[48:72] = np.nan
    assert cues_of(answer(smile=smile)) == []


def test_pauses_and_words_are_told_with_what_was_said():
    spoken = said("I should but, um, {sd} maybe.", [1.0, 1.3, 3.0, 3.3, 3.6, 3.9])
    found = detected_cues(answer(spoken), baseline([]))
    actual = as_sentences(found).splitlines()
    assert '1.5-3.0 s: pauses for 1.5 s before "but,"' in actual
    assert '3.3-3.5 s: fills with the sound "um"' in actual
    assert '3.9-4.1 s: hedges with "maybe"' in actual
    guessed = detected_cues(answer(said("I should", [1.0, 4.0], measured=False)), baseline([]))
    assert "Pause" not in {one.rule.cue for one in guessed}


def test_many_occurrences_are_counted_and_not_listed():
    spoken = said("maybe " * 6, np.arange(6) * 0.3)
    actual = as_sentences(detected_cues(answer(spoken), baseline([]))).splitlines()
    most = cue_rules().most_of_a_cue
    assert [line.endswith('hedges with "maybe"') for line in actual].count(True) == most
    assert "Hedging: 6 times in all" in actual


def test_a_timeline_has_a_line_for_every_two_seconds_with_words_and_cues():
    smile = np.zeros(130)
    smile[50:70] = 0.9
    spoken = said("maybe yes", [1.9, 2.5])
    one = answer(spoken, 130, smile=smile)
    assert as_timeline(detected_cues(one, baseline([one])), spoken, 0.0, 130 / 24).splitlines() == [
        '0-2 s, says "maybe": hedging',
        '2-4 s, says "yes": hedging; smiles',
        "4-6 s, says nothing",
    ]


def test_a_transcript_without_times_has_cues_of_words_alone():
    assert as_sentences(said_cues("Euh, je crois.", "fr")).splitlines() == [
        'fills with the sound "Euh"',
        'hedges with "je crois"',
    ]
    assert as_sentences([]) == ""


def test_every_rule_measures_something_and_has_a_name_of_the_codebook():
    rules = cue_rules().rules
    assert {rule.signal for rule in rules} - {""} <= set(SIGNALS)
    assert {name for rule in rules for name in rule.words} <= set(CUE_NAMES)
    known = answer(said("yes", [1.0]), **{name: wave() for name in SIGNALS})
    assert findable(known) == {rule.cue for rule in rules}
    assert findable(answer()) == set()


@pytest.mark.parametrize(
    "keys",
    [{}, {"signal": "level"}, {"signal": "mood", "above": 1.0}, {"pause_s": 1.0, "words": ["hedge"]}, {"words": ["x"]}],
)
def test_a_rule_that_finds_nothing_is_refused(keys):
    with pytest.raises(ValidationError):
        CueRule(cue="Smile", channel="facial", phrase="smiles", **keys)


# from stores ------------------------------------------------------------------------------------------
FRAMES = 48


def put(path, attributes=None, **arrays):
    with new_store(path, "key") as writer:
        for name, values in arrays.items():
            writer.put(name, values)
        writer.attributes.update(**(attributes or {}))
    return path


def made_stores(folder):
    """A face that turns aside in its second second and smiles, and a voice whose words are negative."""
    points = np.tile(np.array([[-10, 0], [10, 0], [0, 12], [-8, 24], [8, 24]], np.float32), (FRAMES, 1, 1))
    points[24:, 2, 0] += 5
    valid = np.ones(FRAMES, bool)
    valid[40:] = False
    expression = np.zeros((FRAMES, 2), np.float32)
    expression[:, 0] = 0.75
    feature = np.zeros((FRAMES, len(COLUMNS)), np.float32)
    feature[:, COLUMNS.index("level")] = 3.0
    feature[:, [COLUMNS.index(name) for name in ("pitch", "voicing")]] = 1.0
    feature[:, COLUMNS.index("speech_rate")] = 2.0
    affect = np.zeros((FRAMES, 3), np.float32)
    affect[:, 1] = 0.5
    heard = np.ones(FRAMES, bool)
    write_speech_store(folder, 1, ["Never", "again."], [0.5, 1.0], [0.8, 1.4])
    return {
        "faces": put(folder / "faces.zarr", landmarks=points, valid=valid),
        "visual": put(folder / "visual.zarr", {"expressions": ["happy", "sad"]}, expression=expression, valid=valid),
        "speech": folder / "speech/82001/82001_Q1.zarr",
        "audio": put(
            folder / "audio.zarr",
            prosody=np.ones((FRAMES, 3), np.float32),
            valence=np.full(FRAMES, np.nan, np.float32),
            valid=heard,
        ),
        "cues": put(
            folder / "cues.zarr",
            {"columns": list(COLUMNS), "masked": []},
            feature=feature,
            valid=heard,
            text_affect=affect,
            audio_affect=np.full((FRAMES, 3), np.nan, np.float32),
        ),
    }


def test_signals_come_from_the_stores_of_a_video(tmp_path):
    found = answer_cues(made_stores(tmp_path), 0)
    assert found.frames == FRAMES
    assert found.spoken.words == ["Never", "again."]
    turn = found.signals["head_turn"]
    assert turn[5] == pytest.approx(0.0, abs=1e-6)
    assert turn[38] == pytest.approx(0.25, abs=0.02)
    assert np.isnan(turn[40:]).all()
    assert found.signals["head_height"][5] == pytest.approx(0.6)
    assert found.signals["face_words"][5] == pytest.approx(0.75 * 0.5)
    assert {"face_voice", "words_voice"}.isdisjoint(found.signals)  # nobody estimated the voice's valence
    rate = found.signals["articulation_rate"]
    assert rate[20] == pytest.approx(2.0)
    assert np.isnan(rate[:12]).all()  # before the first word
    assert found.signals["level"][5] == pytest.approx(3.0)


def test_a_video_without_stores_has_no_cues():
    found = answer_cues({}, 30)
    assert (found.frames, found.signals, found.spoken) == (30, {}, None)
