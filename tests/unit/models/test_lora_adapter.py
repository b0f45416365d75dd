"""Adapters: read by PEFT as by Waver, and refused where they belong to another network."""

import json

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from waver.errors import WaverError
from waver.models.lora import LoraLinear, LoraSettings, adapt, merge
from waver.models.lora_adapter import CONFIG, OWNER, WEIGHTS, factors_of, merge_adapter, merge_factors, save_adapter

SETTINGS = LoraSettings(rank=2, alpha=8, dropout=0.1, targets=("q_proj", "down_proj"))
IDS = torch.tensor([[1, 5, 9, 3]])


def network():
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=20, **sizes)).eval()


def taught():
    model = network()
    adapt(model, SETTINGS)
    for part in model.modules():
        if isinstance(part, LoraLinear):
            nn.init.normal_(part.up.weight, std=0.3)
    return model.eval()


def logits(model):
    with torch.no_grad():
        return model(IDS).logits


@pytest.fixture
def folder(tmp_path):
    save_adapter(taught(), SETTINGS, tmp_path / "adapter", "a/base")
    return tmp_path / "adapter"


def test_peft_reads_what_was_saved(folder):
    assert not torch.allclose(logits(taught()), logits(network()), atol=1e-2)
    torch.testing.assert_close(logits(PeftModel.from_pretrained(network(), folder)), logits(taught()))


def test_what_peft_saved_is_read(tmp_path):
    config = LoraConfig(r=2, lora_alpha=8, target_modules=r".*\.(q_proj|down_proj)", task_type="CAUSAL_LM")
    theirs = get_peft_model(network(), config)
    for name, parameter in theirs.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.3)
    theirs.save_pretrained(tmp_path)
    own = network()
    merge_adapter(own, tmp_path)
    torch.testing.assert_close(logits(own), logits(theirs.eval()))
    running = {key: value for key, value in theirs.state_dict().items() if "lora_" in key}
    assert factors_of(running, tmp_path).keys() == factors_of(load_file(tmp_path / WEIGHTS), tmp_path).keys()


def test_the_saved_change_is_the_one_that_was_learned(folder):
    loaded, learned = network(), taught()
    merge_adapter(loaded, folder)
    expected = logits(learned)
    merge(learned)
    torch.testing.assert_close(logits(loaded), expected)
    torch.testing.assert_close(logits(learned), expected)


def test_factors_of_a_half_precision_layer_learn_in_float32():
    layer = LoraLinear(nn.Linear(6, 4).to(torch.bfloat16), 2, 16)
    nn.init.normal_(layer.up.weight)
    assert layer.down.weight.dtype == torch.float32
    x = torch.randn(3, 6, dtype=torch.bfloat16)
    before = layer(x)
    assert before.dtype == torch.bfloat16
    torch.testing.assert_close(layer.merged()(x), before, atol=0.1, rtol=0.05)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"use_dora": True}, "no plain LoRA: use_dora"),
        ({"modules_to_save": ["lm_head"]}, "no plain LoRA: modules_to_save"),
        ({"peft_type": "IA3"}, "no plain LoRA: IA3"),
    ],
)
def test_other_adapters_are_refused(folder, change, told):
    file = folder / CONFIG
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(WaverError, match=told):
        merge_adapter(network(), folder)


def test_an_adapter_of_another_network_changes_nothing(folder):
    state = load_file(folder / WEIGHTS)
    moved = {key.replace("layers.1", "layers.7"): value for key, value in state.items()}
    save_file(moved, folder / WEIGHTS)
    model = network()
    with pytest.raises(WaverError, match=r"layers that this network does not have: model\.layers\.7\.mlp\.down_proj"):
        merge_adapter(model, folder)
    assert torch.equal(logits(model), logits(network()))


def test_half_a_pair_and_no_folder_are_told(folder, tmp_path):
    state = load_file(folder / WEIGHTS)
    del state[f"{OWNER}model.layers.0.self_attn.q_proj.lora_B.weight"]
    with pytest.raises(WaverError, match=r"no pair of low-rank factors in model\.layers\.0\.self_attn\.q_proj"):
        factors_of(state, folder)
    with pytest.raises(WaverError, match="holds no adapter in PEFT's layout"):
        merge_adapter(network(), tmp_path / "nowhere")
    factors = {"lm_head": (torch.zeros(2, 16), torch.zeros(20, 3))}
    with pytest.raises(WaverError, match="lm_head"):
        merge_factors(network(), factors, 1.0, tmp_path)
