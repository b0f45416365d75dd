"""AffectGPT: its tokens by the released arithmetic, and its checkpoint taken whole or refused."""

import shutil

import pytest
import torch

from tiny_affectgpt import RANK, SIDE, write_affectgpt
from waver.errors import WaverError
from waver.models.affectgpt.checkpoint import load_affectgpt

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_affectgpt(tmp_path_factory.mktemp("affectgpt"))


@pytest.fixture(scope="module")
def loaded(folder):
    return load_affectgpt(folder, torch.float32, CPU)


@pytest.fixture
def damaged(folder, tmp_path):
    """A copy whose checkpoint is changed by a function of its tensors."""

    def make(change):
        copy = shutil.copytree(folder, tmp_path / "copy")
        state = torch.load(copy / "checkpoint.pth", weights_only=True)["model"]
        change(state)
        torch.save({"model": state}, copy / "checkpoint.pth")
        return copy

    return make


def clips(seed=0, count=2):
    drawn = torch.Generator().manual_seed(seed)
    return torch.randn(count, 8, 3, SIDE, SIDE, generator=drawn), torch.randn(count, 8, 3200, generator=drawn)


def test_a_token_per_modality_by_the_released_arithmetic(folder, loaded):
    network, _ = loaded
    faces, sounds = clips()
    tokens = network.tokens(faces, sounds)
    assert tokens.shape == (2, 3, 16)
    with torch.no_grad():
        seen = network._clip.get_image_features(pixel_values=faces[1]).pooler_output  # [8, 16]
        states = network._hubert(sounds[1], output_hidden_states=True).hidden_states
        heard = torch.stack(states)[[-4, -3, -2, -1]].mean(0).mean(1)  # [8, 24]
    state = torch.load(folder / "checkpoint.pth", weights_only=True)["model"]

    def layer(name, x):
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    face = layer("affectgpt_proj", (seen.T @ layer("video_attention_mlp", seen))[:, 0])
    voice = layer("audio_llama_proj", (heard.T @ layer("audio_attention_mlp", heard))[:, 0])
    pair = layer("multi_video_embs", seen.mean(0)), layer("multi_audio_embs", heard.mean(0))
    weight = layer("fc_att", layer("attention_mlp", torch.cat(pair)))
    both = layer("multi_llama_proj", torch.stack(pair, 1) @ weight)
    torch.testing.assert_close(tokens[1], torch.stack([both, voice, face]), atol=1e-5, rtol=1e-4)


def test_the_language_model_has_learned_the_released_change(folder, loaded):
    network, _ = loaded
    plain = load_plain(folder)
    state = torch.load(folder / "checkpoint.pth", weights_only=True)["model"]
    name = "model.layers.1.mlp.down_proj"
    down, up = (state[f"llama_model.base_model.model.{name}.lora_{part}.default.weight"] for part in "AB")
    expected = plain.get_submodule(name).weight + 32 / RANK * up @ down
    torch.testing.assert_close(network.language_model.get_submodule(name).weight, expected)
    assert torch.equal(network.language_model.lm_head.weight, plain.lm_head.weight)


def load_plain(folder):
    from transformers import Qwen2ForCausalLM

    return Qwen2ForCausalLM.from_pretrained(folder / "language_model", local_files_only=True)


def test_tokens_stand_in_their_places(loaded):
    network, _ = loaded
    network.places = (1000, 1001, 1002)  # beyond the vocabulary
    tokens = network.tokens(*clips())
    ids = torch.tensor([[1000, 2, 1001, 1002], [7, 1000, 1001, 1002]])
    embed = network.language_model.get_input_embeddings().weight
    expected = torch.stack([torch.stack([tokens[0, 0], embed[2], *tokens[0, 1:]]), torch.stack([embed[7], *tokens[1]])])
    with torch.no_grad():
        actual = network(ids, tokens=tokens).logits
        torch.testing.assert_close(actual, network.language_model(inputs_embeds=expected).logits)


def test_frozen_encoders_in_a_checkpoint_are_passed_over(damaged):
    folder = damaged(lambda state: state.update({"visual_encoder.model.logit_scale": torch.zeros(())}))
    load_affectgpt(folder, torch.float32, CPU)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s: s.pop("fc_att.bias"), "missing fc_att.bias"),
        (lambda s: s.update({"fc_att.bias": torch.zeros(3)}), r"fc_att.bias is \(3,\), not \(2,\)"),
        (lambda s: s.update({"video_query_tokens": torch.zeros(1, 32, 16)}), "it has video_query_tokens"),
        (
            lambda s: [s.pop(key) for key in list(s) if "layers.1.self_attn.v_proj.lora" in key],
            r"no factors for model\.layers\.1\.self_attn\.v_proj",
        ),
        (
            lambda s: s.pop("llama_model.base_model.model.model.layers.0.mlp.up_proj.lora_B.default.weight"),
            r"no pair of low-rank factors in model\.layers\.0\.mlp\.up_proj",
        ),
    ],
    ids=["missing", "shape", "another fusion", "a layer", "half a pair"],
)
def test_what_is_missing_or_unexpected_is_told(damaged, change, told):
    with pytest.raises(WaverError, match=told):
        load_affectgpt(damaged(change), torch.float32, CPU)


def test_a_part_of_another_kind_is_told(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    shutil.rmtree(copy / "hubert")
    shutil.copytree(folder / "clip", copy / "hubert")
    with pytest.raises(WaverError, match=r"hubert holds no HuBERT model .*give chinese-hubert-large"):
        load_affectgpt(copy, torch.float32, CPU)
