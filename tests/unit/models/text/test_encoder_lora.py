"""Tuning a text encoder by low-rank changes alone, or by few whole layers."""

import numpy as np
import pytest
import torch

from tiny_bert import write_bert
from waver.datasets.answers import Answer
from waver.errors import WaverError
from waver.models.lora import LoraLinear, adapt
from waver.models.text import encoder as module
from waver.models.text.encoder import PooledEncoder, TunedEncoderConfig, rated_parameters
from waver.models.text.pretrained_encoder import load_backbone
from waver.records import load, method_config
from waver.registry import ANSWER_MODELS
from waver.training.answers.training import fit_model

WORDS = ["so", "it", "goes", "but", "maybe", "never", "and", "then"]
LORA = {"layers": 2, "lora": {"rank": 2}, "rate": 0.05, "rate_decay": 1, "epochs": 3, "batch": 8, "head_rate": 3e-2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_bert(tmp_path_factory.mktemp("bert"), WORDS)


def answers(count=48, seed=0):
    draw = np.random.default_rng(seed)
    made = []
    for number in range(count):
        label = int(draw.random() < 0.5)
        text = " ".join(draw.permutation([*draw.choice(WORDS, 4), *(["maybe", "but"] if label else ["and", "then"])]))
        made.append(Answer(f"{number}_Q4", str(number), "train", 4, label, text, 6, None, "en"))
    return made, np.array([answer.label for answer in made], np.uint8)


def fitted(folder, val=None, **options):
    model = load(ANSWER_MODELS, "encoder")("T", method_config(ANSWER_MODELS, "encoder", options), 0, folder)
    fit_model(model, *answers(), val=val)
    return model


def spied(monkeypatch):
    """Parameters that learned, by name, noted before the factors are merged."""
    seen = []
    plain = module.merge

    def merge(network):
        seen.append({name: p.numel() for name, p in network.named_parameters() if p.requires_grad})
        plain(network)

    monkeypatch.setattr(module, "merge", merge)
    return seen


def test_factors_and_head_alone_learn_and_are_merged(folder, monkeypatch):
    seen, start = spied(monkeypatch), load_backbone(folder, torch.device("cpu")).state_dict()
    model = fitted(folder, **LORA)
    factors = {name: count for name, count in seen[0].items() if name.startswith("backbone.")}
    assert sum(factors.values()) == 2 * 2 * 2 * 2 * 16
    assert set(seen[0]) - set(factors) == {"norm.weight", "norm.bias", "head.weight", "head.bias"}
    assert not [part for part in model.network.modules() if isinstance(part, LoraLinear)]
    after = model.network.backbone.state_dict()
    assert set(after) == set(start)
    changed = {name for name, value in start.items() if not torch.equal(value, after[name])}
    assert changed == {
        f"encoder.layer.{layer}.attention.self.{name}.weight" for layer in (0, 1) for name in ("query", "value")
    }


def test_merging_leaves_the_margins(folder, monkeypatch):
    judged, _ = answers(seed=1)
    merged = fitted(folder, **LORA).margin(judged)
    monkeypatch.setattr(module, "merge", lambda network: None)
    apart = fitted(folder, **LORA)
    assert [part for part in apart.network.modules() if isinstance(part, LoraLinear)]
    # margins are told to four digits
    np.testing.assert_allclose(merged, apart.margin(judged), atol=1.1e-4)
    assert np.ptp(merged) > 0.1


@pytest.mark.slow
def test_the_best_epoch_is_kept(folder):
    judged, label = answers(seed=1)
    misled = fitted(folder, val=(judged, 1 - label, None), **LORA | {"patience": 1})
    helped = fitted(folder, val=(judged, label, None), **LORA)
    assert (misled.epoch, helped.epoch > 1) == (1, True)


def test_only_the_topmost_layers_change(folder, monkeypatch):
    seen = spied(monkeypatch)
    fitted(folder, **LORA | {"layers": 1, "epochs": 1})
    assert {name.split(".")[3] for name in seen[0] if name.startswith("backbone.")} == {"1"}


def test_rank_zero_is_the_tuning_of_whole_layers_bit_by_bit(folder):
    judged, _ = answers(seed=1)
    plain = fitted(folder, layers=1, epochs=1)
    off = fitted(folder, layers=1, epochs=1, lora={"rank": 0, "alpha": 3})
    assert np.array_equal(plain.margin(judged), off.margin(judged))


def test_the_topmost_two_layers_can_learn_at_a_tenth_of_the_heads_rate(folder):
    config = TunedEncoderConfig(layers=2, rate=1e-4, rate_decay=1, head_rate=1e-3)
    network = PooledEncoder(load_backbone(folder, torch.device("cpu")), "mean", 0, 0.1)
    groups = rated_parameters(network, config)
    rate = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    for name, parameter in network.named_parameters():
        expected = 1e-3 if not name.startswith("backbone.") else 1e-4 if ".layer." in name else None
        assert rate.get(id(parameter)) == expected, name


def test_the_optimiser_is_given_factors_and_head_alone(folder):
    config = TunedEncoderConfig(layers=2, lora={"rank": 2})
    network = PooledEncoder(load_backbone(folder, torch.device("cpu")), "mean", 0, 0.1)
    adapt(network.backbone, config.lora)
    given = {id(parameter) for group in rated_parameters(network, config) for parameter in group["params"]}
    assert given == {id(parameter) for parameter in network.parameters() if parameter.requires_grad}
    assert len(given) == 2 * 2 * 2 + 4


def test_targets_that_the_encoder_does_not_have_are_told(folder):
    with pytest.raises(WaverError, match=r"called Wqkv; name some of these: dense, key, query, value"):
        fitted(folder, lora={"rank": 1, "targets": ["Wqkv"]})
    with pytest.raises(WaverError, match=r"options of encoder: lora\.rank"):
        method_config(ANSWER_MODELS, "encoder", {"lora": {"rank": -1}})
