"""What asking a model is estimated to take that was never measured."""

import json
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from waver.cluster.rates import costs
from waver.cluster.settings import read_config
from waver.cluster.workload import Workload


def test_an_estimate_counts_the_parameters_of_the_models_folder_and_both_orders(tmp_path):
    save_file({"a": torch.zeros(30, 20, dtype=torch.float16), "b": torch.zeros(7)}, tmp_path / "model.safetensors")
    file = tmp_path / "asked.yaml"
    work = Workload({"train": np.array([60.0]), "val": np.array([10.0, 8.1]), "test": np.array([1.0])}, "x")
    actual, seconds = [], []
    for folder in (tmp_path, tmp_path / "nowhere"):
        file.write_text(
            f"models: {{paths: {{video_llava: {folder}}}}}\n"
            "zeroshot: {models: [video_llava, openai], prompt_set: choices, prompts: [yn, ab], splits: [val]}\n"
        )
        (cost,) = costs({"zeroshot_ask": 2}, read_config([file]), work)
        actual.append("\n".join(cost.remarks))
        seconds.append(cost.cpu_s)
    assert "0.0 billion parameters (counted in its folder)" in actual[0]
    assert "7.4 billion parameters (of the papers' checkpoint)" in actual[1]
    tokens = 2 * (8 * 257 + 91) + 6 * 50
    assert seconds[1] - seconds[0] == pytest.approx(0.21 * tokens * 7.4e9 / (80 * 134.5e6), rel=1e-3)
    assert "at most 6 calls: 3 prompts about 2 videos and windows" in actual[0]
    assert "openai (jobs: 32): never measured; the work is not counted" in actual[0]
    assert cost.uncounted == 32


def told_of(folder):
    """What the forecast says of a model whose weights are in a folder."""
    config = folder.parent / "asked.yaml"
    config.write_text(f"models: {{paths: {{video_llava: {folder}}}}}\nzeroshot: {{models: [video_llava]}}\n")
    work = Workload({"train": np.array([60.0]), "val": np.array([10.0]), "test": np.array([1.0])}, "x")
    (cost,) = costs({"zeroshot_ask": 1}, read_config([config]), work)
    return "\n".join(cost.remarks)


def write_head(file, name):
    """The head of a file of weights with a billion numbers."""
    head = json.dumps({name: {"dtype": "F16", "shape": [100_000, 10_000], "data_offsets": [0, 2 * 10**9]}}).encode()
    file.write_bytes(struct.pack("<Q", len(head)) + head)


def test_weights_that_a_folder_holds_twice_count_once(tmp_path):
    folder, parts = tmp_path / "model", {name: f"model-0000{name}-of-00002.safetensors" for name in "12"}
    (folder / "projector").mkdir(parents=True)
    for name, file in {**parts, "whole": "consolidated.safetensors", "other": "projector/model.safetensors"}.items():
        write_head(folder / file, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))
    assert "3.0 billion parameters (counted in its folder)" in told_of(folder)
    (folder / parts["2"]).rename(folder / "model.safetensors")
    assert "2.0 billion parameters (counted in its folder)" in told_of(folder)
    (folder / "model.safetensors").unlink()
    assert "7.4 billion parameters (of the papers' checkpoint)" in told_of(folder)


def test_a_model_that_is_asked_about_nothing_costs_nothing(tmp_path):
    config = tmp_path / "asked.yaml"
    config.write_text("zeroshot: {models: [causal_lm, affectgpt], video: false, windows: [8]}\n")
    work = Workload({"train": np.array([60.0]), "val": np.array([10.0]), "test": np.array([1.0])}, "x")
    (cost,) = costs({"zeroshot_ask": 1}, read_config([config]), work)
    assert not any("zeroshot_ask, causal_lm" in remark for remark in cost.remarks)
