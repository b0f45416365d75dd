from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soxr
from faster_whisper import WhisperModel

from sounding_clips import Speaker, write_sounding, write_videos
from waver.config.sections import SpeechConfig
from waver.errors import WaverError
from waver.features.speech import cut_to, load_whisper, recognise_speech, spoken, spread_chunks, transcribe
from waver.io.tables import FEATURE_INDEX, TRANSCRIPTS, read_table, write_table
from waver.io.zarr_store import read_store, store_attributes

pytestmark = pytest.mark.slow

TEXT = "I really want to change my habits, but honestly I am not sure I can."
START_S = 1.5


@pytest.fixture(scope="module")
def speaker(installed_models):
    return Speaker(installed_models / "espeak" / "libespeak-ng.so")


@pytest.fixture(scope="module")
def english(speaker):
    """Speech that begins at START_S, float32 at 16 kHz, and the onsets of its words."""
    wave, onsets = speaker.say(TEXT)
    quiet = np.zeros(round(START_S * 16000), np.float32)
    said = soxr.resample(wave, speaker.rate_hz, 16000)
    return np.concatenate([quiet, said, quiet]), [START_S + onset for onset in onsets]


@pytest.fixture(scope="module")
def whisper(installed_models):
    return load_whisper(installed_models / "whisper_base", "cpu", "int8")


def recognise(folder: Path, clips: list[Path], chunks=(), model=None, config=None, **video):
    write_videos(folder / "videos.parquet", clips, folder, **video)
    write_table(folder / "transcripts.parquet", chunks, TRANSCRIPTS)
    recognise_speech(
        folder / "videos.parquet", folder / "transcripts.parquet", folder, model, (), folder / "stores",
        folder / "index.parquet", config or SpeechConfig(beam=1), "code",
    )  # fmt: skip
    return read_table(folder / "index.parquet", FEATURE_INDEX)


def chunk(text, start_s=None, end_s=None, number=0, video="82001_Q1", language="en"):
    return {
        "video": video, "chunk": number, "start_s": start_s, "end_s": end_s, "text": text, "language": language,
    }  # fmt: skip


def check_times(found: dict[str, np.ndarray]) -> None:
    assert (np.diff(found["start_s"]) >= 0).all()
    assert (found["end_s"] >= found["start_s"]).all()
    assert ((found["probability"] >= 0) & (found["probability"] <= 1)).all()


def test_words_of_a_shard_are_recognised_with_their_times(tmp_path, installed_models, english):
    wave, onsets = english
    clips = [
        write_sounding(tmp_path / "said.mkv", 8, [(0.0, wave)]),
        write_sounding(tmp_path / "silent.mkv", 2, [(0.0, np.zeros(32000, np.float32))]),
        write_sounding(tmp_path / "mute.mkv", 2),
    ]
    rows = recognise(tmp_path, clips, model=installed_models / "whisper_base" / "asset.json", language="en")
    assert [row["status"] for row in rows] == ["ok", "ok", "set_aside"]
    assert rows[0]["frames"] == 192
    assert rows[1]["note"] == "nobody speaks"

    path = tmp_path / "stores" / "82001" / "82001_Q1.zarr"
    found, attributes = read_store(path), store_attributes(path)
    words = [word.strip(".,").lower() for word in attributes["words"]]
    said = TEXT.lower().replace(",", "").replace(".", "").split()
    assert len(set(words) & set(said)) >= 0.8 * len(set(said)), words
    assert attributes["language"] == "en"
    assert len(words) == len(found["start_s"]) == len(found["probability"])
    check_times(found)
    assert found["start_s"][0] == pytest.approx(onsets[0], abs=0.1)
    honestly = words.index("honestly")
    assert found["start_s"][honestly] == pytest.approx(onsets[said.index("honestly")], abs=0.3)

    silent = tmp_path / "stores" / "82001" / "82001_Q2.zarr"
    assert len(read_store(silent)["start_s"]) == 0
    assert store_attributes(silent)["words"] == []


def test_late_sound_moves_the_words(tmp_path, installed_models, english):
    wave, onsets = english
    clip = write_sounding(tmp_path / "late.mkv", 10, [(1.0, wave)])
    recognise(tmp_path, [clip], model=installed_models / "whisper_base" / "asset.json", language="en")
    found = read_store(tmp_path / "stores" / "82001" / "82001_Q1.zarr")
    assert found["start_s"][0] == pytest.approx(onsets[0] + 1.0, abs=0.1)


def test_recognition_is_repeatable(whisper, english):
    first, second = (transcribe(whisper, english[0], "en", 1) for _ in range(2))
    assert first.words == second.words
    np.testing.assert_array_equal(first.start_s, second.start_s)


def test_french_has_the_structure_of_speech(whisper, speaker):
    wave, _ = speaker.say("Je voudrais changer, mais je ne suis pas sûr de pouvoir le faire.", "fr", 125)
    found = transcribe(whisper, soxr.resample(wave, speaker.rate_hz, 16000), "fr", 5)
    assert found.language == "fr"
    assert 5 <= len(found.words) <= 30
    check_times(vars(found))


def test_quiet_speech_is_heard_and_noise_says_nothing(whisper, english):
    loud = english[0]
    quiet = (loud * 10 ** (-45 / 20) / np.sqrt(np.mean(loud**2))).astype(np.float32)
    found = transcribe(whisper, quiet, "en", 1)
    assert "habits," in found.words
    assert found.notes == ("quiet speech, raised in level",)
    assert (found.no_speech_prob < 0.6).all()
    assert not found.flagged.any()
    noise = np.random.default_rng(0).normal(0, 0.01, 48000).astype(np.float32)
    nothing = transcribe(whisper, noise, "en", 1)
    assert (nothing.words, nothing.notes[-1]) == ([], "sound but no words")


def test_an_uncertain_language_is_that_of_the_participants_other_recordings(tmp_path, installed_models, monkeypatch):
    clips = [
        write_sounding(tmp_path / f"{i}.mkv", 2, [(0.0, (0.1 * np.sin(np.arange(32000) / (5 + i))).astype(np.float32))])
        for i in range(3)
    ]
    heard = iter([("en", 0.3), ("fr", 0.9), ("fr", 0.8), ("fr", 0.9), ("fr", 0.8)])

    def say(self, samples, language=None, **options):
        code, share = (language, 1.0) if language else next(heard)
        word = SimpleNamespace(word=" Oui.", start=0.0, end=1.0, probability=1.0)
        segments = [SimpleNamespace(words=[word], no_speech_prob=0.0, avg_logprob=0.0)]
        every = (
            [(code, share), ("en" if code == "fr" else "fr", 1 - share)]
            if share > 0.5
            else [("la", 0.5), (code, share)]
        )
        return segments, SimpleNamespace(language=every[0][0], all_language_probs=every, duration_after_vad=2.0)

    monkeypatch.setattr(WhisperModel, "transcribe", say)
    rows = recognise(tmp_path, clips, model=installed_models / "whisper_base" / "asset.json")
    stores = [store_attributes(tmp_path / "stores" / "82001" / f"82001_Q{i}.zarr") for i in (1, 2, 3)]
    assert [store["language"] for store in stores] == ["fr"] * 3
    assert [store["language_probability"] for store in stores] == [0.0, 0.9, 0.8]
    assert [row["note"] for row in rows] == ["language by the participant's other recordings", "", ""]


def test_recognition_without_a_model_says_where_to_give_it(tmp_path):
    with pytest.raises(WaverError, match=r"models\.paths"):
        recognise(tmp_path, [])


def test_a_language_that_whisper_does_not_know_is_refused(tmp_path):
    with pytest.raises(WaverError, match=r"features\.speech\.languages has xx, which Whisper does not know"):
        recognise(tmp_path, [], model=tmp_path / "asset.json", config=SpeechConfig(languages=["en", "xx"]))


def test_given_words_share_their_chunk_by_letters(tmp_path):
    clip = write_sounding(tmp_path / "mute.mkv", 4)
    chunks = [chunk("No, never!", 0.0, 1.4), chunk("Maybe.", 2.0, None, 1)]
    given = SpeechConfig(source="given")
    rows = recognise(tmp_path, [clip], chunks, config=given, duration_s=4.0)
    assert [row["status"] for row in rows] == ["ok"], "given words need no sound"
    assert rows[0]["frames"] == 96
    path = tmp_path / "stores" / "82001" / "82001_Q1.zarr"
    found, attributes = read_store(path), store_attributes(path)
    assert attributes["words"] == ["No,", "never!", "Maybe."]
    assert attributes["language"] == "en"
    np.testing.assert_allclose(found["start_s"], [0, 0.4, 2.0], rtol=1e-6)
    np.testing.assert_allclose(found["end_s"], [0.4, 1.4, 4.0], rtol=1e-6)


def test_a_corrected_transcript_is_taken_again(tmp_path):
    clip = write_sounding(tmp_path / "mute.mkv", 4)
    given = SpeechConfig(source="given")
    before = recognise(tmp_path, [clip], [chunk("yes")], config=given)[0]["key"]
    assert recognise(tmp_path, [clip], [chunk("no")], config=given)[0]["key"] != before
    assert store_attributes(tmp_path / "stores" / "82001" / "82001_Q1.zarr")["words"] == ["no"]


def test_a_video_without_transcript_is_set_aside(tmp_path):
    clip = write_sounding(tmp_path / "mute.mkv", 4)
    rows = recognise(tmp_path, [clip], config=SpeechConfig(source="given"))
    assert rows[0]["reason"] == "the data set has no transcript of it"


def test_chunks_without_times_share_the_whole_video():
    found = spread_chunks([chunk("one two"), chunk("six", number=1)], 9.0)
    np.testing.assert_allclose(found.start_s, [0, 3, 6])
    np.testing.assert_allclose(found.end_s, [3, 6, 9])


def test_chunks_without_times_share_the_time_between_timed_ones():
    chunks = [chunk("a", 0.0, 1.0), chunk("b"), chunk("c"), chunk("d", 5.0, 6.0)]
    found = spread_chunks(chunks, 9.0)
    np.testing.assert_allclose(found.start_s, [0, 1, 3, 5])
    np.testing.assert_allclose(found.end_s, [1, 3, 5, 6])


def test_times_never_run_back():
    found = spoken([(" a", 1.0, 2.0, 0.5), ("  ", 1.0, 2.0, 0.5), ("b ", 0.5, 0.8, 0.9)], "en")
    assert found.words == ["a", "b"]
    assert found.start_s.tolist() == [1.0, 1.0]
    assert found.end_s.tolist() == [2.0, 1.0]


def test_words_are_cut_to_voice_activity():
    spans = [(1.5, 3.0), (4.0, 6.0)]
    assert cut_to(spans, 1.1, 1.8) == (1.5, 1.8)
    assert cut_to(spans, 2.8, 3.5) == (2.8, 3.0)
    assert cut_to(spans, 2.8, 4.2) == (2.8, 4.2)
    assert cut_to(spans, 3.2, 3.9) == (3.2, 3.9)


@pytest.mark.parametrize("repeats", [0, 1, pytest.param(4, marks=pytest.mark.slow)])
def test_the_beginning_is_encoded_once_for_language_and_words(installed_models, english, monkeypatch, repeats):
    wave = np.concatenate([np.zeros(16000, np.float32), *[english[0]] * repeats])
    folder = installed_models / "whisper_base"
    plain = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True)
    encoded = []
    encode = WhisperModel.encode
    monkeypatch.setattr(WhisperModel, "encode", lambda self, features: encoded.append(1) or encode(self, features))
    want = transcribe(plain, wave, None, 1)
    twice = len(encoded)
    encoded.clear()
    found = transcribe(load_whisper(folder, "cpu", "int8"), wave, None, 1)
    assert len(encoded) == max(1, twice - 1)  # of silence nothing is recognised
    assert (found.words, found.language) == (want.words, want.language)
    assert bool(found.words) == bool(repeats)
    for name in ("start_s", "end_s", "probability"):
        np.testing.assert_array_equal(getattr(found, name), getattr(want, name))
