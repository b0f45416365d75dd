"""Low-rank changes of linear layers."""

import copy

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertModel

from waver.errors import WaverError
from waver.models.lora import LoraLinear, LoraSettings, adapt, merge
from waver.training.ema import ema_of


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(6, 6) for _ in range(3))
        self.norm = nn.LayerNorm(6)

    def forward(self, x):
        mixed = (self.query(x) @ self.key(x).transpose(-1, -2)).softmax(-1) @ self.value(x)
        return self.norm(x + mixed)


def network():
    torch.manual_seed(0)
    return nn.Sequential(Layer(), Layer())


def taught(model, steps=3):
    """The network after some steps towards nothing in particular."""
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.05)
    for _ in range(steps):
        optimiser.zero_grad()
        (model(x()) - 1).square().sum().backward()
        optimiser.step()
    return model


def x():
    return torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(1))


def adapted(**options):
    model = network()
    adapt(model, LoraSettings(rank=2, **options))
    return model


def test_bert_base_has_the_published_numbers_to_learn():
    with torch.device("meta"):
        bert = BertModel(BertConfig())
        total = sum(p.numel() for p in bert.parameters())
        adapt(bert, LoraSettings(rank=8))
    learning = [p for p in bert.parameters() if p.requires_grad]
    assert sum(p.numel() for p in learning) == 12 * 2 * 2 * 8 * 768 == 294_912
    assert sum(p.numel() for p in bert.parameters()) == total + 294_912
    assert {type(part).__name__ for name, part in bert.named_modules() if name.endswith((".query", ".value"))} == {
        "LoraLinear"
    }
    assert isinstance(bert.get_submodule("encoder.layer.0.attention.self.key"), nn.Linear)


def test_nothing_changes_at_first():
    torch.testing.assert_close(adapted()(x()), network()(x()), atol=0, rtol=0)


def test_the_change_is_the_scaled_product_of_the_factors():
    torch.manual_seed(0)
    layer = LoraLinear(nn.Linear(6, 4), 2, 16)
    nn.init.normal_(layer.up.weight)
    weight = layer.linear.weight + 8 * layer.up.weight @ layer.down.weight
    torch.testing.assert_close(layer(x()), nn.functional.linear(x(), weight, layer.linear.bias))


def test_the_factors_alone_learn():
    model, before = adapted(), network().state_dict()
    taught(model)
    learned = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    factors = ("query.down", "query.up", "value.down", "value.up")
    assert learned == {f"{layer}.{factor}.weight" for layer in (0, 1) for factor in factors}
    kept = {name.replace(".linear.", "."): value for name, value in model.state_dict().items() if name not in learned}
    assert all(torch.equal(kept[name], value) for name, value in before.items())
    assert not torch.allclose(model(x()), network()(x()), atol=1e-2)


def test_the_merged_network_computes_the_same_under_its_old_names():
    model = taught(adapted())
    with torch.no_grad():
        expected = model(x())
        merge(model)
        torch.testing.assert_close(model(x()), expected, atol=1e-5, rtol=0)
    plain = network()
    plain.load_state_dict(model.state_dict())
    torch.testing.assert_close(plain(x()), expected, atol=1e-5, rtol=0)
    merge(model)  # there is nothing more to merge
    assert all(torch.equal(value, plain.state_dict()[name]) for name, value in model.state_dict().items())


def test_a_copy_of_the_state_brings_the_factors_back():
    model = taught(adapted())
    kept, expected = copy.deepcopy(model.state_dict()), model(x()).detach()
    taught(model)
    assert not torch.allclose(model(x()), expected, atol=1e-3)
    model.load_state_dict(kept)
    assert torch.equal(model(x()), expected)


def test_a_moving_average_takes_in_the_factors_and_leaves_the_layers():
    model = adapted()
    ema = ema_of(model, 0.5)
    taught(model)
    ema.update_parameters(model)
    weights, own = ema.module.state_dict(), model.state_dict()
    changed = {name for name, value in own.items() if not torch.equal(value, weights[name])}
    assert changed == {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    with torch.no_grad():
        shown = ema.module(x())
    merged = copy.deepcopy(model)
    merged.load_state_dict(weights)
    merge(merged)
    torch.testing.assert_close(merged(x()), shown, atol=1e-5, rtol=0)


def test_layers_can_be_chosen_and_named():
    model = network()
    adapt(model, LoraSettings(rank=1, targets=("key",)), lambda name: name.startswith("1."))
    assert [name for name, part in model.named_modules() if isinstance(part, LoraLinear)] == ["1.key"]


def test_names_that_no_layer_has_are_told():
    with pytest.raises(WaverError, match=r"called q_proj; name some of these: key, query, value"):
        adapt(network(), LoraSettings(rank=1, targets=("q_proj",)))
    with pytest.raises(WaverError, match="name some of these: none"):
        adapt(network(), LoraSettings(rank=1), lambda name: False)
    with pytest.raises(ValueError, match="rank"):
        LoraSettings(rank=-1)
