from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from changed_stores import rewrite
from sounding_clips import write_videos
from speech_stores import write_speech_store
from waver.config.sections import WordsConfig
from waver.errors import WaverError
from waver.features.sentences import sentences, shared_frames, timed_words
from waver.features.words import (
    TextEncoder,
    embed_words,
    mean_of_words,
    uniform_words,
)
from waver.io.tables import FEATURE_INDEX, read_table, write_table
from waver.io.zarr_store import read_store
from waver.models.text.pretrained_encoder import like_lengths


@pytest.fixture(scope="module")
def folder(installed_models):
    return installed_models / "minilm"


@pytest.fixture(scope="module")
def encoder(folder):
    return TextEncoder(folder, 4, torch.device("cpu"))


def overlaps(start_s, end_s, frames):
    """Frames [T] x words [W] of seconds shared, by the definition."""
    low = np.arange(frames)[:, None] / 24
    shared = np.minimum(low + 1 / 24, end_s) - np.maximum(low, start_s)
    return np.maximum(shared, 0)


@pytest.mark.parametrize("seed", range(60))
def test_a_frame_belongs_to_the_word_that_covers_most_of_it(seed):
    rng = np.random.default_rng(seed)
    count, frames = int(rng.integers(0, 30)), int(rng.integers(1, 120))
    start_s = np.sort(rng.uniform(-0.5, frames / 24 + 0.5, count)).astype(np.float32)
    end_s = start_s + rng.choice([0.0, 0.01, 0.2, 1.0], count).astype(np.float32)
    found = timed_words(start_s, end_s, frames)
    assert found.shape == (frames,)
    assert found.dtype == np.int32
    shared = overlaps(start_s.astype(float), end_s.astype(float), frames)
    if not count:
        assert (found == -1).all()
        return
    own = shared_frames(start_s, end_s, frames)
    places = {word: frame for word, (frame, _) in own.items()}
    assert {word: found[frame] for word, frame in places.items()} == {word: word for word in places}
    heard = {*found[found >= 0].tolist(), *(word for _, words in own.values() for word in words)}
    assert heard == set(range(count)), "every word is in a frame"
    rest = np.setdiff1d(np.arange(frames), list(places.values()))
    taken = np.where(found >= 0, shared[np.arange(frames), found], 0)[rest]
    np.testing.assert_allclose(taken, shared.max(axis=1)[rest], atol=1e-4)
    assert (taken[found[rest] >= 0] > 0).all()
    assert (shared.max(axis=1)[rest][found[rest] < 0] < 1e-4).all()


def test_a_word_of_no_duration_has_its_nearest_frame():
    times = np.array([0, 0.5, 0.5, 0.5], np.float32), np.array([0.5, 0.5, 0.5, 1], np.float32)
    assert timed_words(*times, 24).tolist() == [0] * 12 + [1] + [3] * 11
    assert shared_frames(*times, 24) == {1: (12, [1, 2, 3])}
    alone = np.array([0, 1.5], np.float32), np.array([1, 1.5], np.float32)
    assert timed_words(*alone, 48).tolist() == [0] * 24 + [-1] * 12 + [1] + [-1] * 11


def test_words_past_the_end_unordered_or_of_unknown_time_are_kept():
    nan = np.nan
    late = timed_words(np.array([0, 9, 9.5]), np.array([0.5, 9.2, 12]), 24)
    assert late.tolist() == [0] * 12 + [-1] * 11 + [1]
    assert shared_frames(np.array([0, 9, 9.5]), np.array([0.5, 9.2, 12]), 24) == {1: (23, [1, 2])}
    assert timed_words(np.array([0.5, 0]), np.array([1, 0.5]), 24).tolist() == [1] * 12 + [0] * 12
    assert timed_words(np.array([0.0, nan, 0.75]), np.array([0.5, nan, 1]), 24).tolist() == (
        [0] * 12 + [1] + [-1] * 5 + [2] * 6
    )
    assert timed_words(np.array([0.5]), np.array([0.2]), 24).tolist() == [-1] * 12 + [0] + [-1] * 11
    assert timed_words(np.array([nan]), np.array([nan]), 1).tolist() == [0]
    assert timed_words(np.array([np.inf, -np.inf]), np.array([np.inf, np.inf]), 2).tolist() == [1, 0]


def test_of_equal_words_the_first_is_taken():
    half = 0.5 / 24
    assert timed_words(np.array([0, half]), np.array([half, 2 * half]), 2).tolist() == [0, -1]
    assert shared_frames(np.array([0, half]), np.array([half, 2 * half]), 2) == {0: (0, [0, 1])}


def test_rounding_gives_no_frame_away():
    end = np.array([np.nextafter(np.float32(1.0), np.float32(2.0))])
    assert timed_words(np.zeros(1, np.float32), end, 30).tolist() == [0] * 24 + [-1] * 6


@pytest.mark.parametrize("seed", range(20))
def test_uniform_blocks_are_nearly_equal_and_ordered(seed):
    rng = np.random.default_rng(seed)
    pieces, frames = int(rng.integers(1, 60)), int(rng.integers(1, 60))
    sizes = np.bincount(uniform_words(pieces, frames))
    assert sizes.sum() == frames
    assert len(sizes) == min(pieces, frames)
    assert sizes.max() - sizes.min() <= 1
    assert (np.diff(sizes) <= 0).all(), "the longer blocks come first"


def test_ten_frames_and_three_pieces_give_4_3_3():
    assert uniform_words(3, 10).tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert uniform_words(0, 3).tolist() == [-1, -1, -1]
    assert uniform_words(5, 3).tolist() == [0, 1, 2]


def test_sentences_end_at_their_punctuation_and_lose_nothing():
    words = ["Yes.", "I", "said", '"no!"', "Well,", "3.5", "times…", "and", "then"]
    found = sentences(words)
    assert [" ".join(part) for _, part in found] == ["Yes.", 'I said "no!"', "Well, 3.5 times…", "and then"]
    assert [first for first, _ in found] == [0, 1, 4, 7]
    assert sentences([]) == []


def test_a_word_is_the_mean_of_its_pieces():
    pieces = np.array([[1.0, 0], [3, 2], [5, 5]], np.float32)
    np.testing.assert_array_equal(mean_of_words(pieces, np.array([0, 0, 2]), 3), [[2, 1], [0, 0], [5, 5]])


def test_batches_hold_all_sentences_and_keep_their_size():
    lengths = np.random.default_rng(0).integers(3, 257, 200).tolist()
    batches = like_lengths(lengths)
    assert sorted(i for batch in batches for i in batch) == list(range(200))
    assert all(len(batch) * max(lengths[i] for i in batch) <= 4096 for batch in batches)


@pytest.mark.slow
def test_vectors_are_the_sum_of_the_last_four_layers(encoder, folder):
    words = ["I", "procrastinate", "honestly."]
    (vector, word) = encoder.embed([words])[0]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, attn_implementation="sdpa").eval()
    tokens = tokenizer(words, is_split_into_words=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = model(**tokens, output_hidden_states=True).hidden_states
    expected = sum(hidden[-4:])[0, 1:-1].numpy()
    np.testing.assert_allclose(vector, expected, atol=1e-4)
    assert word.tolist() == [w for w in tokens.word_ids(0) if w is not None]
    assert len(word) > len(words), "a word of several pieces"


@pytest.mark.slow
def test_neighbours_in_a_batch_change_nothing(encoder):
    texts = [
        ["Well."],
        ["I", "am", "not", "sure", "that", "I", "will,", "but", "I", "try."],
        [],
        ["No", "way."],
    ]
    together = encoder.embed(texts)
    for text, (vector, word) in zip(texts, together, strict=True):
        alone, same = encoder.embed([text])[0]
        np.testing.assert_array_equal(word, same)
        np.testing.assert_allclose(vector, alone, atol=2e-4)
    assert together[2][0].shape == (0, encoder.dim)


def test_words_of_a_text_are_counted_through_its_sentences(encoder):
    word = encoder.embed([["Yes.", "No.", "I", "do."]])[0][1]
    assert sorted(set(word.tolist())) == [0, 1, 2, 3]


@pytest.mark.slow
def test_a_long_sentence_is_cut_and_nothing_is_dropped(encoder):
    words = ["procrastinating"] * 400
    vector, word = encoder.embed([words])[0]
    assert set(word.tolist()) == set(range(400))
    assert len(vector) == len(word) > 400


def write_speech(folder: Path, texts: list[list[str] | None]) -> None:
    """Speech of videos of two seconds: words of half a second from 0 on; None was set aside."""
    rows = []
    for number, words in enumerate(texts, start=1):
        start_s = np.arange(len(words or ()), dtype=np.float32) / 2
        rows.append(write_speech_store(folder, number, words, start_s, start_s + np.float32(0.5)))
    write_table(folder / "speech.parquet", rows, FEATURE_INDEX)


def embed(folder: Path, model: Path, texts: list[list[str] | None], config: WordsConfig):
    write_speech(folder, texts)
    write_videos(folder / "videos.parquet", [folder / f"{i}.mp4" for i in range(len(texts))], folder)
    embed_words(
        folder / "speech.parquet", folder / "speech", folder / "videos.parquet", model / "asset.json",
        folder / "words", folder / "words.parquet", config, "code",
    )  # fmt: skip
    return read_table(folder / "words.parquet", FEATURE_INDEX)


def test_words_of_a_shard(tmp_path, folder, encoder):
    texts = [["I", "procrastinate."], None, [], ["Maybe.", "Yes."]]
    rows = embed(tmp_path, folder, texts, WordsConfig())
    assert [row["status"] for row in rows] == ["ok", "set_aside", "ok", "ok"]
    assert rows[1]["reason"] == "the file has no sound"
    assert rows[2]["note"] == "nobody speaks"
    found = read_store(tmp_path / "words" / "82001" / "82001_Q1.zarr")
    pieces, word = encoder.embed([texts[0]])[0]
    np.testing.assert_allclose(found["vector"], [pieces[word == i].mean(0) for i in (0, 1)], atol=2e-4)
    np.testing.assert_array_equal(found["word_of_frame"], [0] * 12 + [1] * 12 + [-1] * 24)
    empty = read_store(tmp_path / "words" / "82001" / "82001_Q3.zarr")
    assert empty["vector"].shape == (0, encoder.dim)
    assert (empty["word_of_frame"] == -1).all()


def test_sound_without_words_is_told_apart_from_silence(tmp_path, folder):
    rows = [write_speech_store(tmp_path, number, []) for number in (1, 2)]
    rows[0]["note"] = "quiet speech, raised in level; sound but no words"
    write_table(tmp_path / "speech.parquet", rows, FEATURE_INDEX)
    write_videos(tmp_path / "videos.parquet", [tmp_path / "1.mp4", tmp_path / "2.mp4"], tmp_path)
    embed_words(
        tmp_path / "speech.parquet", tmp_path / "speech", tmp_path / "videos.parquet", folder / "asset.json",
        tmp_path / "words", tmp_path / "words.parquet", WordsConfig(), "code",
    )  # fmt: skip
    found = [row["note"] for row in read_table(tmp_path / "words.parquet", FEATURE_INDEX)]
    assert found == ["sound but no words", "nobody speaks"]


def test_words_that_share_a_frame_are_averaged(tmp_path, folder, encoder):
    words = ["Well,", "I", "really", "tried."]
    row = write_speech_store(tmp_path, 1, words, [0, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 1.0])
    write_table(tmp_path / "speech.parquet", [row], FEATURE_INDEX)
    write_videos(tmp_path / "videos.parquet", [tmp_path / "1.mp4"], tmp_path)
    embed_words(
        tmp_path / "speech.parquet", tmp_path / "speech", tmp_path / "videos.parquet", folder / "asset.json",
        tmp_path / "words", tmp_path / "words.parquet", WordsConfig(), "code",
    )  # fmt: skip
    found = read_store(tmp_path / "words" / "82001" / "82001_Q1.zarr")
    own = mean_of_words(*encoder.embed([words])[0], 4)
    spread = found["vector"][found["word_of_frame"][:24]]
    np.testing.assert_allclose(spread[12], own[1:].mean(0), atol=2e-4)
    np.testing.assert_allclose(spread[[0, 23]], own[[0, 3]], atol=2e-4)
    assert len(found["vector"]) == 4


def test_uniform_keeps_pieces_and_ignores_times(tmp_path, folder, encoder):
    words = ["I", "procrastinate."]
    embed(tmp_path, folder, [words], WordsConfig(alignment="uniform"))
    found = read_store(tmp_path / "words" / "82001" / "82001_Q1.zarr")
    pieces, _ = encoder.embed([words])[0]
    np.testing.assert_allclose(found["vector"], pieces, atol=2e-4)
    np.testing.assert_array_equal(found["word_of_frame"], uniform_words(len(pieces), 48))


def test_a_bad_neighbour_spoils_nothing(tmp_path, folder):
    write_speech(tmp_path, [["Yes."], ["No."]])
    rewrite(tmp_path / "speech" / "82001" / "82001_Q2.zarr", attributes={})
    write_videos(tmp_path / "videos.parquet", [tmp_path / "1.mp4", tmp_path / "2.mp4"], tmp_path)
    embed_words(
        tmp_path / "speech.parquet", tmp_path / "speech", tmp_path / "videos.parquet", folder / "asset.json",
        tmp_path / "words", tmp_path / "words.parquet", WordsConfig(), "code",
    )  # fmt: skip
    assert [row["status"] for row in read_table(tmp_path / "words.parquet", FEATURE_INDEX)] == ["ok", "set_aside"]


def test_an_encoder_that_cannot_be_used_ends_the_job_with_its_own_sentence(tmp_path, folder):
    with pytest.raises(WaverError, match=r"features\.words\.layers is 9 and the encoder .* lower it"):
        embed(tmp_path, folder, [["Yes."], None], WordsConfig(layers=9))
    assert not (tmp_path / "words.parquet").exists()


def test_only_changed_speech_is_embedded_again(tmp_path, folder):
    texts = [["Yes."], ["No."]]
    embed(tmp_path, folder, texts, WordsConfig())
    store = tmp_path / "words" / "82001" / "82001_Q1.zarr"
    before = store.stat().st_mtime_ns
    embed(tmp_path, folder, texts, WordsConfig())
    assert store.stat().st_mtime_ns == before
    exact = read_store(store)["vector"]
    embed(tmp_path, folder, texts, WordsConfig(precision="bf16"))
    rough = read_store(store)["vector"]
    assert store.stat().st_mtime_ns != before
    assert rough.dtype == np.float32
    assert 0 < np.abs(rough - exact).mean() < 0.03 * exact.std()
    embed(tmp_path, folder, texts, WordsConfig(layers=2))
    assert np.abs(read_store(store)["vector"] - exact).mean() > 0.1 * exact.std()
