"""Folders of models of a few kilobytes that ask for hours, for terabytes, or for files elsewhere."""

from __future__ import annotations

import json
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tiny_bert import write_bert
from tiny_clip import write_clip
from tiny_speech import saved
from waver.errors import WaverError
from waver.features.audio.speech_encoder import SpeechEncoder
from waver.models.folder_limits import check_files
from waver.models.text.pretrained_encoder import load_backbone, load_tokenizer
from waver.models.text.sentence_encoder import _parts
from waver.models.vision_language.clip_folder import load_clip

CPU = torch.device("cpu")
LOADERS: dict[str, tuple[Callable[[Path], Path], Callable[[Path], object]]] = {
    "text encoder": (lambda folder: write_bert(folder, ["a", "b"]), lambda folder: load_backbone(folder, CPU)),
    "speech encoder": (saved, lambda folder: SpeechEncoder(folder, -1, CPU)),
    "CLIP": (write_clip, load_clip),
}
HUGE = {
    "num_hidden_layers": 10**9, "hidden_size": 10**9, "intermediate_size": 10**10, "num_labels": 10**7,
    "num_attention_heads": 10**9,
}  # fmt: skip


def _set(file: Path, **values: Any) -> None:
    def put(settings: dict[str, Any]) -> None:
        settings |= values
        for name, inner in settings.items():
            if name.endswith("_config") and isinstance(inner, dict):
                put(inner)

    settings = json.loads(file.read_text()) if file.exists() else {}
    put(settings)
    file.write_text(json.dumps(settings))


@pytest.mark.parametrize("key", HUGE)
@pytest.mark.parametrize("loader", LOADERS)
def test_settings_of_a_network_without_end_are_refused_at_once(tmp_path, loader, key):
    write, load = LOADERS[loader]
    folder = Path(write(tmp_path / "model"))
    _set(folder / "config.json", **{key: HUGE[key]})
    started = time.process_time()
    with pytest.raises(WaverError, match=rf"config\.json has {key}: {HUGE[key]}") as refused:
        load(folder)
    assert time.process_time() - started < 2
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("loader", ["text encoder", "CLIP"])
def test_what_a_file_lacks_is_not_made_at_random_first(tmp_path, loader):
    """Sizes that are each possible, of a table that is not among the weights: 60 GB."""
    write, load = LOADERS[loader]
    folder = Path(write(tmp_path / "model"))
    _set(folder / "config.json", vocab_size=20_000_000, hidden_size=768, num_attention_heads=12)
    weights = folder / "model.safetensors"
    kept = {name: value for name, value in load_file(weights).items() if "embed" not in name}
    save_file(kept, weights, metadata={"format": "pt"})
    with pytest.raises(WaverError, match=r"is of a network of [0-9,]+ values, and its weights hold"):
        load(folder)


def _padded(tokenizer: dict[str, Any]) -> None:
    tokenizer["padding"] = {
        "strategy": {"Fixed": 10**9}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0,
        "pad_token": "[PAD]",
    }  # fmt: skip


def _growing(tokenizer: dict[str, Any]) -> None:
    tokenizer["normalizer"] = {
        "type": "Sequence",
        "normalizers": [{"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 50}] * 8,
    }


@pytest.mark.parametrize(
    ("change", "told"), [(_padded, "fills every text to 1000000000"), (_growing, "more than 64 letters for one")]
)
def test_a_tokenizer_that_makes_much_of_little_is_refused(tmp_path, change, told):
    folder = write_bert(tmp_path / "model", ["a", "b"])
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    change(tokenizer)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(WaverError, match=told):
        load_tokenizer(folder)


def test_pipes_and_devices_are_not_read(tmp_path):
    folder = write_bert(tmp_path / "model", ["a", "b"])
    for name, make in (("x.json", os.mkfifo), ("model.bin", lambda path: path.symlink_to("/dev/zero"))):
        make(folder / name)
        with pytest.raises(WaverError, match=f"{name} is no file but a pipe or a device"):
            load_backbone(folder, CPU)
        (folder / name).unlink()
    load_backbone(folder, CPU)


def test_weights_and_modules_elsewhere_are_not_read(tmp_path):
    folder = write_bert(tmp_path / "model", ["a", "b"])
    (folder / "model.safetensors").rename(tmp_path / "elsewhere.safetensors")
    names = load_file(tmp_path / "elsewhere.safetensors")
    index = {"metadata": {}, "weight_map": dict.fromkeys(names, "../elsewhere.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(WaverError, match="names weights outside of the folder"):
        load_backbone(folder, CPU)
    for path in ("../elsewhere", "/etc", "1_Pooling/../../x"):
        modules = [{"type": "sentence_transformers.models.Transformer", "path": path}]
        (folder / "modules.json").write_text(json.dumps(modules))
        with pytest.raises(WaverError, match="modules outside of the folder"):
            _parts(folder)


def test_what_has_no_end_in_other_places_is_not_read(tmp_path):
    folder = saved(tmp_path / "model")
    _set(folder / "config.json", conv_dim=[1] * 2000, conv_kernel=[1] * 2000, conv_stride=[1] * 2000)
    with pytest.raises(WaverError, match="one of its layers: 2000"):
        SpeechEncoder(folder, -1, CPU)
    folder = write_bert(tmp_path / "adapted", ["a", "b"])
    adapter = {"peft_type": "LORA", "base_model_name_or_path": "/etc", "r": 10**7, "target_modules": ["query"]}
    (folder / "adapter_config.json").write_text(json.dumps(adapter))
    with pytest.raises(WaverError, match="of an adapter, which changes another model"):
        load_backbone(folder, CPU)


def test_a_filter_bank_without_end_is_not_made(tmp_path):
    folder = saved(tmp_path / "model")
    _set(folder / "preprocessor_config.json", n_fft=10**8)
    with pytest.raises(WaverError, match=r"preprocessor_config\.json has n_fft"):
        SpeechEncoder(folder, -1, CPU)


@pytest.mark.parametrize("elements", [10**12, 2**63])
def test_a_head_of_weights_that_promises_more_than_the_file_has(tmp_path, elements):
    folder = write_bert(tmp_path / "model", ["a", "b"])
    head = json.dumps({"a": {"dtype": "F32", "shape": [elements], "data_offsets": [0, 4 * elements]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head)
    with pytest.raises(WaverError, match="holds no text encoder"):
        load_backbone(folder, CPU)


def test_settings_of_known_models_pass(tmp_path):
    """Of a large one with a long context, whose weights are of its size."""
    settings = {
        "model_type": "qwen3", "num_hidden_layers": 94, "hidden_size": 4096, "vocab_size": 151936, "num_experts": 128,
        "max_position_embeddings": 262144, "rope_theta": 5_000_000_000, "num_attention_heads": 64, "head_dim": 128,
        "vision_feature_layer": -2, "max_window_layers": 94, "tie_word_embeddings": False, "image_token_id": 151655,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(settings))
    with open(tmp_path / "model.safetensors", "wb") as weights:
        weights.truncate(1 << 34)
    check_files(tmp_path)
