import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from waver.config.sections import WordsConfig
from waver.errors import WaverError
from waver.features.answer_encodings import encode_answers, encode_shard, read_encodings, sentences_of
from waver.io.tables import ANSWERS, FEATURE_INDEX, read_table, write_table
from waver.io.zarr_store import read_store

pytestmark = pytest.mark.slow

SHORT = ["I wish I could stop.", "Non, je ne sais pas !", "", "Well, you know ..."]
LONG = " ".join(f"number {i} is but a number," for i in range(120))


@pytest.fixture(scope="module")
def folder(installed_models):
    return installed_models / "minilm"


@pytest.fixture(scope="module")
def encodings(folder):
    return encode_answers([*SHORT, LONG], folder, folder, 4)


def test_a_short_text_is_encoded_as_sentence_transformers_does(folder, encodings):
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    for text, found in zip(SHORT, encodings, strict=False):
        with torch.inference_mode():
            states = model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True).hidden_states
        mean = states[-1][0].mean(0)
        np.testing.assert_allclose(found.sentence, mean / mean.norm(), atol=2e-5)
        np.testing.assert_allclose(found.tokens, torch.stack(states[-4:]).sum(0)[0, 1:-1], atol=2e-4)
        assert found.sentence.dtype == found.tokens.dtype == np.float32


def test_a_long_text_is_encoded_to_its_end(folder, encodings):
    words = len(AutoTokenizer.from_pretrained(folder)(LONG, add_special_tokens=False)["input_ids"])
    assert words > 600
    assert len(encodings[-1].tokens) == words
    assert np.linalg.norm(encodings[-1].sentence) == pytest.approx(1, abs=1e-5)
    half = encode_answers([LONG[: len(LONG) // 2]], folder, folder, 4)[0]
    assert np.abs(half.sentence - encodings[-1].sentence).max() > 1e-3


def test_a_text_without_words_has_a_sentence_and_no_tokens(encodings):
    assert encodings[2].tokens.shape == (0, 384)
    assert np.linalg.norm(encodings[2].sentence) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I do.  I don't! Why?\nBecause… it is", ["I do.", "I don't!", "Why?", "Because…", "it is"]),
        ("It costs 3.50 at www.shop.ca today", ["It costs 3.50 at www.shop.ca today"]),
        ("Well ... no.", ["Well ...", "no."]),
        ("... ! - Yes", ["- Yes"]),
        ("42", ["42"]),
        ("", []),
        (" ?! …", []),
    ],
)
def test_sentences_are_split_where_they_end(text, expected):
    assert sentences_of(text) == expected


@pytest.mark.parametrize(("words", "lengths"), [(40, [40]), (41, [25, 16]), (50, [25, 25]), (76, [25, 25, 25, 1])])
def test_what_nobody_punctuated_is_cut(words, lengths):
    run = " ".join(f"w{i}" for i in range(words))
    found = sentences_of(f"Yes. {run}")
    assert found[0] == "Yes."
    assert [len(sentence.split()) for sentence in found[1:]] == lengths
    assert " ".join(found[1:]) == run


def test_a_sentence_is_encoded_as_if_it_stood_alone(folder, encodings):
    text = f"{SHORT[0]} {SHORT[3]} {SHORT[0]}"
    found = encode_answers([text, SHORT[0]], folder, folder, 4)
    assert [len(encoding.parts) for encoding in encodings[:4]] == [1, 1, 0, 1]
    assert encodings[2].parts.shape == (0, 384)
    np.testing.assert_allclose(found[0].parts, [encodings[i].sentence for i in (0, 3, 0)], atol=2e-6)
    np.testing.assert_array_equal(found[1].parts, found[1].sentence[None])
    assert found[0].parts.dtype == np.float32
    assert np.abs(found[0].sentence - found[0].parts[0]).max() > 1e-2


def test_batches_do_not_change_an_encoding(folder, encodings):
    for found, alone in zip(encodings[:4], encode_answers(SHORT, folder, folder, 4, batch_tokens=1), strict=True):
        np.testing.assert_allclose(found.sentence, alone.sentence, atol=2e-6)
        np.testing.assert_allclose(found.parts, alone.parts, atol=2e-6)
        np.testing.assert_allclose(found.tokens, alone.tokens, atol=5e-5)


def test_what_cannot_be_encoded_is_told(folder, tmp_path):
    with pytest.raises(WaverError, match=r"features\.words\.layers is 9 and the encoder .* has 6"):
        encode_answers(["so"], folder, folder, 9)
    with pytest.raises(WaverError, match="holds no"):
        encode_answers(["so"], tmp_path, tmp_path, 4)
    assert encode_answers([], tmp_path, tmp_path, 4) == []


def row(video, text):
    person = video.split("_")[0]
    known = {"video": video, "participant": person, "split": "train", "question": 1, "label": 1, "duration_s": None}
    return known | {"text": text, "words": len(text.split()), "language": None}


class Shard:
    """Answers of a shard, and the encodings made of them."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.answers, self.index, self.stores = folder / "007.answers", folder / "007.parquet", folder / "stores"
        self.model = model

    def encode(self, rows, code="1", **config):
        write_table(self.answers, rows, ANSWERS)
        encode_shard(self.answers, self.model, self.model, self.stores, self.index, WordsConfig(**config), code)
        return read_encodings(self.stores, [self.index])


@pytest.fixture
def shard(tmp_path, folder):
    return Shard(tmp_path, folder / "asset.json")


def test_a_shard_is_one_store_and_reads_back(shard, encodings):
    rows = [row(f"{i}_Q1", text) for i, text in enumerate([*SHORT, f"{SHORT[0]} {SHORT[3]}"])]
    found = shard.encode(rows)
    assert list(found) == ["0_Q1", "1_Q1", "2_Q1", "3_Q1", "4_Q1"]
    np.testing.assert_allclose(found["4_Q1"].parts, [encodings[i].sentence for i in (0, 3)], atol=2e-6)
    for expected, encoding in zip(encodings[:4], list(found.values())[:4], strict=True):
        np.testing.assert_allclose(encoding.sentence, expected.sentence, atol=2e-6)
        np.testing.assert_allclose(encoding.parts, expected.parts, atol=2e-6)
        np.testing.assert_allclose(encoding.tokens, expected.tokens, atol=5e-5)
    store = read_store(shard.stores / "007.zarr")
    assert set(store) == {"sentence", "token", "count", "part", "parts"}
    assert store["count"].tolist() == [len(e.tokens) for e in found.values()]
    assert store["parts"].tolist() == [1, 1, 0, 1, 2]
    index = read_table(shard.index, FEATURE_INDEX)
    assert [entry["status"] for entry in index] == ["ok"] * 5
    assert index[2]["note"] == "no words"
    assert len({entry["key"] for entry in index}) == 5


def test_only_a_text_that_changed_is_encoded_again(shard, caplog):
    caplog.set_level(logging.INFO, "waver.features.answer_encodings")
    rows = [row(f"{i}_Q1", text) for i, text in enumerate(SHORT)]
    first = shard.encode(rows)
    assert "4 of 4 texts encoded" in caplog.text
    written, caplog_at = (shard.stores / "007.zarr").stat().st_mtime_ns, len(caplog.records)
    shard.encode(rows)
    assert (shard.stores / "007.zarr").stat().st_mtime_ns == written
    assert len(caplog.records) == caplog_at
    # one answer changed, one new, one gone, two in another order
    again = shard.encode([rows[3], row("0_Q1", "Something else."), row("9_Q1", SHORT[1]), row("8_Q1", "New.")])
    assert caplog.records[-1].getMessage() == "2 of 4 texts encoded"
    np.testing.assert_array_equal(again["3_Q1"].tokens, first["3_Q1"].tokens)
    np.testing.assert_array_equal(again["9_Q1"].tokens, first["1_Q1"].tokens)
    assert list(again) == ["3_Q1", "0_Q1", "9_Q1", "8_Q1"]


def test_other_layers_arithmetic_or_code_encode_all_again(shard, caplog):
    caplog.set_level(logging.INFO, "waver.features.answer_encodings")
    rows = [row("0_Q1", "One."), row("1_Q1", "Two.")]
    four = shard.encode(rows)
    assert np.abs(shard.encode(rows, layers=1)["0_Q1"].tokens - four["0_Q1"].tokens).max() > 0.1
    shard.encode(rows, layers=1, code="2")
    rough = shard.encode(rows, precision="bf16")
    for part in ("tokens", "sentence"):
        exact, found = (getattr(encodings["0_Q1"], part) for encodings in (four, rough))
        assert found.dtype == np.float32
        assert 0 < np.abs(found - exact).mean() < 0.03 * exact.std(), part
    shard.encode(rows, precision="bf16", alignment="uniform")  # which decides nothing here
    assert [record.getMessage() for record in caplog.records] == ["2 of 2 texts encoded"] * 4


def test_a_shard_of_nobody(shard):
    assert shard.encode([]) == {}
    assert read_table(shard.index, FEATURE_INDEX) == []
    assert list(shard.encode([row("0_Q1", "One.")])) == ["0_Q1"]
