from dataclasses import replace

import numpy as np
import pytest

from synthetic import CUES, DIMS, affect_of, write_packs
from waver.datasets.question_context import FRAME_SIZE, frame_context
from waver.datasets.questions import Question, Questions
from waver.errors import WaverError
from waver.io.tables import PACK_INDEX, read_tables
from waver.training.corpus import Normalisation, read_corpus, thinned
from waver.training.frames.windows import repeat_last


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return read_corpus(*write_packs(tmp_path_factory.mktemp("packs")), "VAT", ["train"])


def test_only_the_splits_and_modalities_asked_for_are_read(tmp_path):
    indexes, packs = write_packs(tmp_path)
    samples = read_corpus(indexes, packs, "AT", ["val"])
    assert {sample.split for sample in samples} == {"val"}
    assert len(samples) == 6
    for sample in samples:
        assert list(sample.features) == ["audio", "text"]
        assert sample.features["text"].shape == (sample.frames, DIMS["text"])
        assert sample.question in (1, 2, 3)


@pytest.mark.parametrize("modalities", ["Q", "TQ", "VATQ"])
def test_the_question_is_a_stream_of_what_the_control_knows(tmp_path, modalities):
    indexes, packs = write_packs(tmp_path, {"train": 2, "val": 1})
    samples = read_corpus(indexes, packs, modalities, ["train", "val"])
    rows = {row["video"]: row for row in read_tables(indexes, PACK_INDEX)}
    assert {sample.video for sample in samples} == set(rows)
    for sample in samples:
        question = sample.features["question"]
        assert list(sample.features)[-1] == "question"
        assert (question.shape, question.dtype) == ((sample.frames, FRAME_SIZE), np.float32)
        np.testing.assert_array_equal(question, frame_context([rows[sample.video]]).astype(np.float32))
        assert sample.valid["question"].all()
        assert sample.valid["question"].shape == (sample.frames,)
        assert (question[:, :7].argmax(1) == sample.question - 1).all()
    normalisation = Normalisation.fit([sample for sample in samples if sample.split == "train"])
    assert normalisation.sizes["question"] == FRAME_SIZE
    assert all(np.isfinite(normalisation.apply(sample).features["question"]).all() for sample in samples)


def test_cues_are_one_more_modality(tmp_path):
    indexes, packs = write_packs(tmp_path, {"train": 2})
    for sample in read_corpus(indexes, packs, "VATCQ", ["train"]):
        assert list(sample.features) == ["visual", "audio", "text", "cues", "question"]
        assert sample.features["cues"].shape == (sample.frames, CUES)
        assert sample.valid["cues"].all()
        assert sample.affect == {}
    assert [list(sample.features) for sample in read_corpus(indexes, packs, "C", ["train"])] == [["cues"]] * 6


def test_targets_of_affect_come_where_they_are_asked_for(tmp_path):
    indexes, packs = write_packs(tmp_path, {"train": 2})
    samples = read_corpus(indexes, packs, "VATCQ", ["train"], affect=True)
    for sample in samples:
        assert list(sample.affect) == ["visual", "audio", "text", "question"]
        for name, target in sample.affect.items():
            if name == "question":
                continue
            state = np.where(target[:, 0] > 0, 1.0, -1.0) if name != "audio" else np.ones(sample.frames)
            np.testing.assert_array_equal(target, affect_of(state, name))
        np.testing.assert_array_equal(sample.affect["text"][:, 0] > 0, sample.features["cues"][:, 0] > 0)
    assert list(read_corpus(indexes, packs, "TC", ["train"], affect=True)[0].affect) == ["text"]
    own = samples[0]
    scaled = Normalisation.fit(samples).apply(own)
    thin, longer = thinned(own, 4), repeat_last(own, 200)
    rows = np.minimum(np.arange(200), own.frames - 1)
    for name, target in own.affect.items():
        np.testing.assert_array_equal(scaled.affect[name], target)
        np.testing.assert_array_equal(thin.affect[name], target[2::4][: thin.frames])
        np.testing.assert_array_equal(longer.affect[name], target[rows])


def test_the_question_says_what_words_should_hold(tmp_path):
    requested = {
        sample.question: sample.affect["question"]
        for sample in read_corpus(*write_packs(tmp_path, {"train": 1}, questions=7), "TQ", ["train"], affect=True)
    }
    assert np.isnan(requested[1]).all()
    for number, goal in ((2, [1, 0]), (3, [0, 1]), (4, [1, 1]), (5, [1, 0]), (6, [0, 1]), (7, [1, 1])):
        assert (requested[number][:, :2] == goal).all()
        assert np.isnan(requested[number][:, 2]).all()


def test_the_number_of_questions_is_that_of_the_data_set(tmp_path):
    questions = Questions(9, ((9, Question((("en", "Why?"),), affect=("negative",))),))
    packs = write_packs(tmp_path, {"train": 1, "val": 1}, questions=2, questions_of=questions)
    train, val = (read_corpus(*packs, "TQ", [split], affect=True) for split in ("train", "val"))
    for sample in (*train, *val):
        assert sample.features["question"].shape == (sample.frames, 9 + FRAME_SIZE - 7)
        assert (sample.features["question"][:, :9].argmax(1) == sample.question - 1).all()
        assert np.isnan(sample.affect["question"]).all()


def test_training_frames_become_standard(train):
    normalisation = Normalisation.fit(train)
    assert normalisation.sizes == DIMS
    for name in DIMS:
        values = np.concatenate([normalisation.apply(sample).features[name] for sample in train])
        assert np.abs(values.mean(0)).max() < 1e-4
        assert np.abs(values.std(0) - 1).max() < 1e-3


def test_invalid_frames_teach_nothing_and_become_zero(train):
    hidden = np.arange(train[0].frames) % 3 == 0
    broken = []
    for sample in train:
        valid = ~hidden[np.arange(sample.frames) % len(hidden)]
        features = sample.features["visual"].copy()
        features[~valid] = np.nan
        broken.append(
            replace(sample, features={**sample.features, "visual": features}, valid={**sample.valid, "visual": valid})
        )
    normalisation = Normalisation.fit(broken)
    kept = np.concatenate([s.features["visual"][s.valid["visual"]] for s in broken]).astype(np.float64)
    assert np.allclose(normalisation.mean["visual"], kept.mean(0), atol=1e-5)
    assert np.allclose(normalisation.std["visual"], kept.std(0, ddof=1), atol=1e-5)
    applied = normalisation.apply(broken[0])
    assert (applied.features["visual"][~applied.valid["visual"]] == 0).all()
    assert np.isfinite(applied.features["visual"]).all()


def test_a_constant_dimension_stays_finite(train):
    features = {**train[0].features, "audio": train[0].features["audio"].copy()}
    features["audio"][:, 4] = 7
    normalisation = Normalisation.fit([replace(train[0], features=features)])
    assert normalisation.std["audio"][4] == 1
    assert (normalisation.apply(replace(train[0], features=features)).features["audio"][:, 4] == 0).all()


def test_state_survives_a_round_trip(train):
    normalisation = Normalisation.fit(train)
    again = Normalisation.from_state(normalisation.state())
    first, second = normalisation.apply(train[3]), again.apply(train[3])
    assert all(np.array_equal(first.features[name], second.features[name]) for name in DIMS)


def test_nothing_to_learn_from_is_told(train):
    with pytest.raises(WaverError, match="train split has no labelled video"):
        Normalisation.fit([])
    blind = [replace(s, valid={**s.valid, "visual": np.zeros(s.frames, bool)}) for s in train]
    with pytest.raises(WaverError, match="leave visual out of the modalities"):
        Normalisation.fit(blind)


def test_packs_that_disagree_are_refused(tmp_path, monkeypatch):
    first, packs = write_packs(tmp_path, {"train": 2}, shards=1)
    monkeypatch.setitem(DIMS, "visual", 5)
    second, other = write_packs(tmp_path / "b", {"train": 2}, shards=1)
    (other / "000.zarr").rename(packs / "001.zarr")
    second[0].rename(tmp_path / "001.parquet")
    with pytest.raises(WaverError, match="visual features of size 5, others 16"):
        read_corpus([*first, tmp_path / "001.parquet"], packs, "V", ["train"])
