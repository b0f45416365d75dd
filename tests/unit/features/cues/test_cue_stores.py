from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForSequenceClassification

from sounding_clips import tone, write_sounding, write_videos
from speech_stores import write_speech_store
from tiny_bert import write_bert
from waver.align.timeline import align_pack
from waver.assets.manifest import install
from waver.config.sections import AlignConfig, AudioConfig
from waver.errors import WaverError
from waver.features.audio.extract import extract_audio
from waver.features.cues.columns import COLUMNS, PAUSES, VOICE, TimedWords
from waver.features.cues.extract import extract_cues
from waver.features.cues.sentiment import load_sentiment
from waver.io.tables import FEATURE_INDEX, PACK_INDEX, SEGMENTS, read_table, write_table
from waver.io.zarr_store import read_store, store_attributes
from waver.training.corpus import Normalisation, read_corpus


def said(text: str, start_s: list[float], end_s: list[float]) -> TimedWords:
    times = (np.array(times_s, np.float32) for times_s in (start_s, end_s))
    return TimedWords(text.split(), *times, "en", np.ones(len(start_s), bool))


class Shard:
    """A shard of videos of two seconds: words given, sound extracted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.speech: list[dict[str, Any]] = []
        self.clips: list[Path] = []

    def add(self, sound: np.ndarray | None, words: TimedWords | None) -> None:
        number = len(self.clips) + 1
        clip = self.folder / f"{number}.mkv"
        self.clips.append(write_sounding(clip, 2, [] if sound is None else [(0.0, sound)]))
        known = (None,) if words is None else (
            words.words, words.start_s, words.end_s, words.language, words.measured,
        )  # fmt: skip
        self.speech.append(write_speech_store(self.folder, number, *known))

    def extract(self, sentiment: Path | None = None, recorded: bool = True) -> list[dict[str, Any]]:
        folder = self.folder
        write_videos(folder / "videos.parquet", self.clips, folder)
        write_table(folder / "speech.parquet", self.speech, FEATURE_INDEX)
        audio = folder / "audio.parquet" if recorded else None
        if audio:
            extract_audio(folder / "videos.parquet", folder, None, folder / "audio", audio, AudioConfig(), "code")
        extract_cues(
            folder / "speech.parquet", folder / "speech", audio, audio and folder / "audio", folder / "videos.parquet",
            sentiment, folder / "cues", folder / "cues.parquet", "code",
        )  # fmt: skip
        return read_table(folder / "cues.parquet", FEATURE_INDEX)

    def store(self, question: int) -> dict[str, np.ndarray]:
        return read_store(self.folder / "cues" / "82001" / f"82001_Q{question}.zarr")

    def align(self) -> list[dict[str, Any]]:
        folder, things = self.folder, ("audio", "cues")
        write_table(folder / "segments.parquet", [], SEGMENTS)
        align_pack(
            folder / "videos.parquet", folder / "segments.parquet",
            {thing: folder / f"{thing}.parquet" for thing in things}, {thing: folder / thing for thing in things},
            folder / "packs" / "000.zarr", folder / "000.parquet", AlignConfig(), "code",
        )  # fmt: skip
        return read_table(folder / "000.parquet", PACK_INDEX)


@pytest.fixture
def shard(tmp_path):
    return Shard(tmp_path)


SPOKEN = said("Maybe I love it.", [0.0, 0.25, 1.0, 1.5], [0.25, 0.5, 1.5, 2.0])


def test_cues_of_a_shard(shard):
    shard.add(np.concatenate([tone(1.0, 110), tone(1.0, 220)]), SPOKEN)
    shard.add(None, None)
    shard.add(np.zeros(32000, np.float32), said("", [], []))
    shard.add(tone(2.0), None)
    shard.add(None, SPOKEN)
    rows = shard.extract()
    assert [row["status"] for row in rows] == ["ok", "set_aside", "ok", "ok", "ok"]
    assert "(speech: the file has no sound; audio: the file has no sound)" in rows[1]["reason"]
    assert [row["note"] for row in rows] == ["", "", "nothing is heard", "", ""]
    found = shard.store(1)
    assert set(found) == {"feature", "valid", "audio_affect", "text_affect"}
    assert found["feature"].shape == (48, len(COLUMNS))
    assert found["valid"].all()
    assert store_attributes(shard.folder / "cues/82001/82001_Q1.zarr")["columns"] == list(COLUMNS)
    pitch = found["feature"][:, COLUMNS.index("pitch")]
    assert pitch[36] - pitch[12] == pytest.approx(12, abs=0.2)
    np.testing.assert_array_equal(np.flatnonzero(found["feature"][:, COLUMNS.index("pause")]), np.arange(12, 24))
    silent = shard.store(3)
    assert not silent["valid"].any()
    assert not silent["feature"].any()
    assert np.isnan(silent["audio_affect"]).all()
    unheard = shard.store(4)
    assert unheard["valid"].all()
    assert not unheard["feature"][:, len(VOICE) :].any(), "its words are not known"
    written = shard.store(5)
    assert written["valid"].all()
    assert not written["feature"][:, : len(VOICE) + len(PAUSES)].any()
    assert written["feature"][:, COLUMNS.index("hedge")].all()


def test_pauses_between_words_that_share_the_time_of_a_chunk_are_masked(shard):
    sound = np.concatenate([tone(1.0, 110), tone(1.0, 220)])
    shard.add(sound, SPOKEN)
    shard.add(sound, replace(SPOKEN, measured=np.zeros(len(SPOKEN.words), bool)))
    shard.extract()
    measured, shared = shard.store(1), shard.store(2)
    pauses = slice(len(VOICE), len(VOICE) + len(PAUSES))
    assert measured["feature"][:, pauses].any(0).sum() >= 7
    assert not shared["feature"][:, pauses].any()
    np.testing.assert_array_equal(
        np.delete(shared["feature"], np.arange(pauses.start, pauses.stop), 1),
        np.delete(measured["feature"], np.arange(pauses.start, pauses.stop), 1),
    )
    assert not np.isnan(measured["audio_affect"][:, 2]).any()
    assert np.isnan(shared["audio_affect"][:, 2]).all(), "no pauses, no hesitancy of the voice"
    masked = [store_attributes(shard.folder / f"cues/82001/82001_Q{i}.zarr")["masked"] for i in (1, 2)]
    assert masked == [[], list(PAUSES)]


def test_a_data_set_of_transcripts(shard):
    shard.add(None, SPOKEN)
    shard.add(None, None)
    rows = shard.extract(recorded=False)
    assert [row["status"] for row in rows] == ["ok", "set_aside"]
    assert np.isnan(shard.store(1)["audio_affect"]).all()
    assert not np.isnan(shard.store(1)["text_affect"]).all()
    assert shard.store(1)["feature"].any()


def test_cues_reach_the_samples(shard):
    shard.add(np.concatenate([tone(1.0, 110), tone(1.0, 220)]), SPOKEN)
    shard.add(tone(2.0, 150), SPOKEN)
    shard.extract()
    assert [row["note"] for row in shard.align()] == ["no visual; no words"] * 2
    samples = read_corpus([shard.folder / "000.parquet"], shard.folder / "packs", "ACQ", ["train"], affect=True)
    for question, sample in enumerate(samples, start=1):
        assert list(sample.features) == ["audio", "cues", "question"]
        np.testing.assert_array_equal(sample.features["cues"], shard.store(question)["feature"])
        assert list(sample.affect) == ["audio", "question"]
        np.testing.assert_array_equal(sample.affect["audio"], shard.store(question)["audio_affect"])
    assert Normalisation.fit(samples).sizes["cues"] == len(COLUMNS)


def test_what_did_not_change_is_not_made_again(shard):
    shard.add(tone(2.0), SPOKEN)
    shard.add(tone(2.0, 150), SPOKEN)
    before = [row["key"] for row in shard.extract()]
    shard.speech[1]["key"] = "other"
    after = [row["key"] for row in shard.extract()]
    assert after[0] == before[0]
    assert after[1] != before[1]


def classifier(folder: Path, names: list[str]) -> Path:
    """A classifier of sentences with random weights, installed; returns its record."""
    write_bert(folder / "files", ["i", "love", "it", "."])
    config = BertConfig.from_pretrained(folder / "files", id2label=dict(enumerate(names)), num_labels=len(names))
    BertForSequenceClassification(config).save_pretrained(folder / "files")
    install("path.sentiment", folder / "model", {"sentiment": str(folder / "files")})
    return folder / "model" / "asset.json"


def test_a_classifier_takes_the_place_of_counting(shard, tmp_path):
    words = said("I love it. it", [0.0, 0.5, 1.0, 1.5], [0.5, 1.0, 1.5, 2.0])
    shard.add(tone(2.0), words)
    shard.add(tone(2.0), said("", [], []))
    rows = shard.extract(classifier(tmp_path / "sentiment", ["Negative", "neutral", "POSITIVE"]))
    assert [row["status"] for row in rows] == ["ok", "ok"]
    found = shard.store(1)["text_affect"]
    assert len(np.unique(found[:36, :2], axis=0)) == 1, "one sentence"
    assert (found[36:, :2] != found[0, :2]).any()
    assert ((found[:, :2] > 0) & (found[:, :2].sum(1, keepdims=True) < 1)).all()
    own = load_sentiment(tmp_path / "sentiment" / "files", torch.device("cpu"))
    np.testing.assert_allclose(found[[0, 47], :2], own(["I love it.", "it"]), atol=1e-6)
    np.testing.assert_allclose(own(["it", "I love it."])[::-1], own(["I love it.", "it"]), atol=1e-6)
    assert own([]).shape == (0, 2)


def test_a_classifier_of_other_classes_is_refused(shard, tmp_path):
    shard.add(tone(2.0), SPOKEN)
    with pytest.raises(WaverError, match=r"names its classes joy, fear; models\.paths\.sentiment needs"):
        shard.extract(classifier(tmp_path / "sentiment", ["joy", "fear"]))


def test_a_folder_without_the_classes_own_weights_is_refused(tmp_path):
    classifier(tmp_path, ["negative", "positive"])
    file = tmp_path / "files" / "model.safetensors"
    save_file({name: x for name, x in load_file(file).items() if not name.startswith("classifier")}, file)
    with pytest.raises(WaverError, match=r"holds no whole classifier: it lacks 2 parameters"):
        load_sentiment(file.parent, torch.device("cpu"))
    with pytest.raises(WaverError, match=r"holds no classifier .*; correct models\.paths\.sentiment"):
        load_sentiment(tmp_path, torch.device("cpu"))
