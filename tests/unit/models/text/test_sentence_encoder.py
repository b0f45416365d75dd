"""Vectors of sentences: those of the library, of a text's end too, and from folders that cannot surprise."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer

from tiny_bert import write_bert
from waver.config.model import load_config
from waver.errors import WaverError
from waver.features.answer_encodings import encode_answers
from waver.models.pretrained_folder import LOCAL
from waver.models.text.pretrained_encoder import pooling
from waver.models.text.sentence_encoder import SentenceEncoder

CPU = torch.device("cpu")
WORDS = ["so", "it", "goes", "and", "then", "we", "walk", "to", "the", "sea", "or", "not"]
TEXTS = ["so it goes", "", "we walk to the sea and then it goes", "not"]
LONG = " ".join(WORDS * 20)


@pytest.fixture(scope="module")
def bert(tmp_path_factory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"), WORDS)


def saved(folder: Path, bert: Path, *how: str, more: tuple[torch.nn.Module, ...] = ()) -> Path:
    """A folder as the library saves it."""
    SentenceTransformer(modules=[Transformer(str(bert)), Pooling(16, pooling_mode=how), *more]).save(str(folder))
    return folder


@pytest.mark.parametrize("how", [("mean",), ("cls",), ("max", "mean"), ("lasttoken",)], ids="+".join)
def test_a_text_has_the_vector_that_the_library_gives(tmp_path, bert, how):
    torch.manual_seed(1)
    folder = saved(tmp_path / "model", bert, *how, more=(Dense(16 * len(how), 8), Normalize()))
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    expected = SentenceTransformer(str(folder), device="cpu", **LOCAL).encode(TEXTS)
    found = SentenceEncoder(folder, CPU).encode(TEXTS)
    assert (found.dtype, found.shape) == (np.float32, (4, 8))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before
    if len(how) == 1 and how != ("lasttoken",):
        assert pooling(folder) == {"mean": "mean", "cls": "first"}[how[0]]


def test_a_folder_without_modules_is_averaged_and_a_prompt_is_said_first(tmp_path, bert):
    plain = SentenceEncoder(bert, CPU).encode(["walk to the sea"])
    np.testing.assert_allclose(np.linalg.norm(plain), 1, atol=1e-6)
    folder = saved(tmp_path / "model", bert, "mean")
    settings = json.loads((folder / "config_sentence_transformers.json").read_text())
    settings |= {"prompts": {"own": "walk to "}, "default_prompt_name": "own"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings))
    np.testing.assert_allclose(SentenceEncoder(folder, CPU).encode(["the sea"]), plain, atol=1e-6)


def test_a_long_text_is_encoded_to_its_end_whatever_else_is_in_the_batch(tmp_path, bert):
    folder = saved(tmp_path / "model", bert, "mean", more=(Normalize(),))
    encoder = SentenceEncoder(folder, CPU)
    found = encoder.encode([*TEXTS, LONG])
    pieces, text = encoder._cut([LONG])
    assert (len(pieces) > 3, set(text)) == (True, {0})
    states = torch.cat([SentenceTransformer(str(folder), **LOCAL)[0]({
        "input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.int64)
    })["token_embeddings"][0] for ids in pieces]).detach()  # fmt: skip
    mean = states.mean(0) / states.mean(0).norm()
    np.testing.assert_allclose(found[-1], mean, atol=1e-6)
    np.testing.assert_allclose(encoder.encode([LONG], batch_tokens=1)[0], found[-1], atol=1e-6)
    assert np.abs(encoder.encode([LONG[: len(LONG) // 2]])[0] - found[-1]).max() > 1e-4


def test_words_and_answers_may_be_encoded_by_different_models(tmp_path, bert):
    sentences = saved(tmp_path / "model", bert, "mean", more=(Dense(16, 8),))
    one, two = (encode_answers(TEXTS[:1], bert, folder, 2)[0] for folder in (bert, sentences))
    np.testing.assert_array_equal(one.tokens, two.tokens)
    assert (one.tokens.shape, one.sentence.shape, two.sentence.shape) == ((3, 16), (16,), (8,))


@pytest.mark.parametrize("kind", ["own.Module", "sentence_transformers.base.modules.router.Router", "os.path"])
def test_modules_of_other_kinds_are_refused(tmp_path, bert, kind):
    folder = saved(tmp_path / "model", bert, "mean")
    (folder / "own.py").write_text("import sys\nsys.modules['own_module_ran'] = sys")
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["type"] = kind
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(WaverError, match=rf"modules\.json lists {kind}; known are .*models\.paths\.sentence_encoder"):
        SentenceEncoder(folder, CPU)
    assert "own_module_ran" not in sys.modules


def test_code_named_by_a_module_and_weights_that_lack_are_refused(tmp_path, bert):
    folder = saved(tmp_path / "model", bert, "mean")
    pooled = next(path for path in folder.iterdir() if path.name.endswith("Pooling"))
    (pooled / "tokenizer_config.json").write_text(json.dumps({"auto_map": {"AutoTokenizer": ["own.Words", None]}}))
    with pytest.raises(WaverError, match="names code of the model's own"):
        SentenceEncoder(folder, CPU)
    (pooled / "tokenizer_config.json").unlink()
    weights = load_file(folder / "model.safetensors")
    weights.pop("encoder.layer.0.output.dense.bias")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(WaverError, match=r"lacks 1 parameters .*correct models\.paths\.sentence_encoder"):
        SentenceEncoder(folder, CPU)


def test_the_role_of_earlier_versions_is_told_in_one_sentence():
    with pytest.raises(WaverError, match=r"models\.paths: .*text_encoder is two roles: word_encoder .*sentence_enc"):
        load_config({"models": {"paths": {"text_encoder": "bert"}}})
