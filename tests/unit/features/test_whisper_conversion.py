"""A Whisper of transformers as a recogniser: what CTranslate2 computes is what transformers does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import WhisperForConditionalGeneration

from tiny_bert import write_bert
from tiny_whisper import write_whisper
from waver.assets.manifest import install, installed
from waver.config.model import load_config
from waver.errors import WaverError
from waver.features.speech import load_whisper
from waver.features.whisper_conversion import convert_whisper
from waver.workflow.flow import Flow
from waver.workflow.run import Run
from waver.workflow.stages.features import CONVERTED


@pytest.fixture(scope="module")
def whisper(tmp_path_factory) -> Path:
    return write_whisper(tmp_path_factory.mktemp("hub") / "whisper")


def converted(folder: Path, given: Path) -> Path:
    record = install("path.speech_recogniser", folder / "given", {"speech_recogniser": str(given)})
    convert_whisper(Path(record.folder) / "asset.json", folder / "converted")
    return folder / "converted"


@pytest.mark.slow
def test_the_recogniser_computes_what_transformers_does(tmp_path, whisper):
    found = converted(tmp_path, whisper)
    record = installed(found / "asset.json")
    assert (record.role, record.set, record.title) == ("speech_recogniser", "path", str(whisper))
    assert {"model.bin", "config.json", "tokenizer.json", "preprocessor_config.json"} <= set(record.files)
    heard = load_whisper(found, "cpu", "float32")
    sound = np.random.default_rng(0).standard_normal(16_000 * 30).astype(np.float32) * 0.1
    mel = heard.feature_extractor(sound)[:, :3000]
    assert mel.shape == (128, 3000)
    states = np.array(heard.encode(mel))[0]
    model = WhisperForConditionalGeneration.from_pretrained(whisper).eval()
    with torch.inference_mode():
        expected = model.model.encoder(torch.from_numpy(mel)[None]).last_hidden_state[0].numpy()
    assert np.abs(states - expected).max() < 1e-2 < np.abs(expected).max(), "weights are kept in float16"
    settings = json.loads((found / "config.json").read_text())
    assert settings["alignment_heads"] == [[1, 0]]
    assert settings["lang_ids"] == [50259, 50265]
    with torch.inference_mode():
        logits = model(torch.from_numpy(mel)[None], decoder_input_ids=torch.tensor([[50258]])).logits[0, 0]
    wanted = torch.softmax(logits[settings["lang_ids"]], 0).tolist()
    languages = dict(heard.model.detect_language(heard.encode(mel))[0])
    assert [languages["<|en|>"], languages["<|fr|>"]] == pytest.approx(wanted, abs=1e-3)
    assert abs(wanted[0] - 0.5) > 2e-3, "the decoder tells them apart"


@pytest.mark.slow
def test_what_is_no_whole_whisper_is_told(tmp_path, whisper):
    with pytest.raises(WaverError, match=r"names another model\); correct models\.paths\.speech_recogniser"):
        converted(tmp_path / "bert", write_bert(tmp_path / "b", ["a"]))
    part = shutil.copytree(whisper, tmp_path / "part")
    weights = load_file(part / "model.safetensors")
    weights.pop("model.decoder.layers.0.fc1.bias")
    save_file(weights, part / "model.safetensors", {"format": "pt"})
    with pytest.raises(WaverError, match="holds no whole Whisper model: it lacks 1 parameters"):
        converted(tmp_path / "one", part)
    (part / "tokenizer.json").unlink()
    with pytest.raises(WaverError, match=r"lacks tokenizer\.json"):
        converted(tmp_path / "two", part)
    own = shutil.copytree(whisper, tmp_path / "own")
    settings = json.loads((own / "config.json").read_text())
    (own / "config.json").write_text(json.dumps(settings | {"auto_map": {"AutoConfig": "own.Config"}}))
    with pytest.raises(WaverError, match="names code of the model's own"):
        converted(tmp_path / "three", own)
    assert not list(tmp_path.glob("*/converted"))


def test_it_is_converted_where_it_needs_to_be(tmp_path, whisper):
    def recogniser(path: Path, source: str = "recognise") -> list[str]:
        given = {"models": {"paths": {"speech_recogniser": str(path)}}, "features": {"speech": {"source": source}}}
        return Flow(Run(load_config(given))).features.recogniser()

    assert recogniser(whisper) == [CONVERTED]
    assert recogniser(whisper, "given") == []
    assert recogniser(tmp_path / "not there") == ["resources/models/path.speech_recogniser/asset.json"]
    (tmp_path / "config.json").touch()
    (tmp_path / "model.bin").touch()
    assert recogniser(tmp_path) == ["resources/models/path.speech_recogniser/asset.json"]
