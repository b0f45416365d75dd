"""The older visual network of LFAN and CAN; its outputs are held by ``test_published_backbones.py``."""

import math

import pytest
import torch
from torch import nn

from waver.errors import WaverError
from waver.models.backbones.base import BackboneSettings, Classified
from waver.models.backbones.ir50_embedding import Ir50Embedding
from waver.models.backbones.pretrained import load_backbone_weights
from waver.records import load
from waver.registry import BACKBONES


def on_meta(**options):
    with torch.device("meta"):
        return Ir50Embedding(BackboneSettings(**options))


def published(network):
    """A file under the published names; one value in each tensor, so that it is small."""
    state = {f"backbone.{name}": value for name, value in network.state_dict().items()}
    state |= {"logits.weight": torch.empty(8, 512), "logits.bias": torch.empty(8)}
    return {
        name: torch.full((), number % 7 + 1.0).to(value.dtype).expand(value.shape)
        for number, (name, value) in enumerate(state.items())
    }


def test_it_has_the_published_number_of_parameters():
    model = Classified(on_meta(), 8)
    assert sum(parameter.numel() for parameter in model.parameters()) == 37_287_624
    assert load(BACKBONES, "ir50") is Ir50Embedding
    assert (Ir50Embedding.INPUT.side, Ir50Embedding.INPUT.crop) == (48, 40)


@pytest.mark.slow
def test_the_first_stage_keeps_the_side_and_the_others_halve_it():
    model, shapes = on_meta(), []
    for unit in model.body:
        unit.register_forward_hook(lambda module, given, maps: shapes.append(tuple(maps.shape[1:])))
    assert model(torch.zeros(2, 3, 40, 40, device="meta")).shape == (2, 512)
    assert shapes == [(64, 40, 40)] * 3 + [(128, 20, 20)] * 4 + [(256, 10, 10)] * 14 + [(512, 5, 5)] * 3
    assert on_meta(size=100)(torch.zeros(2, 3, 40, 40, device="meta")).shape == (2, 100)
    with pytest.raises(ValueError, match=r"images has shape \(2, 3, 112, 112\)"):
        model(torch.zeros(2, 3, 112, 112, device="meta"))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return Ir50Embedding(BackboneSettings()).eval()


@pytest.mark.slow
def test_features_have_length_one(network):
    faces = torch.rand(3, 3, 40, 40, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        feature, inner = network(faces), network.output_layer(network.body(network.input_layer(faces)))
    assert torch.allclose(feature.norm(dim=1), torch.ones(3))
    assert torch.allclose(feature * inner.norm(dim=1, keepdim=True), inner, atol=1e-5)
    assert (inner.norm(dim=1) - 1).abs().min() > 0.1
    assert (feature[0] - feature[1]).abs().max() > 1e-3


def test_it_begins_with_xavier(network):
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            area = math.prod(getattr(part, "kernel_size", ()))
            bound = math.sqrt(6 / (area * sum(part.weight.shape[:2])))
            assert 0.95 * bound < part.weight.abs().max() <= bound
            assert part.bias is None or (part.bias == 0).all()


def test_a_published_file_loads_whole_and_its_classes_are_left_out(tmp_path):
    model = on_meta()
    torch.save(state := published(model), tmp_path / "res50_ir.pth")
    assert load_backbone_weights(model, tmp_path / "res50_ir.pth") == ()
    for name, value in model.state_dict().items():
        assert torch.equal(value, state[f"backbone.{name}"]), name
    other = on_meta(size=100)
    other.reduction = other.reduction.to_empty(device="cpu")
    assert load_backbone_weights(other, tmp_path / "res50_ir.pth") == ("reduction.",)


def test_what_is_missing_unknown_or_of_another_shape_is_told(tmp_path):
    state = published(on_meta())
    del state["backbone.body.23.res_layer.1.weight"]
    state["backbone.body.24.res_layer.1.weight"] = torch.zeros(1)
    # of faces of 112 pixels
    state["backbone.output_layer.3.weight"] = torch.zeros(()).expand(512, 512 * 7 * 7)
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(
        WaverError,
        match=r"does not hold Ir50Embedding \(missing body\.23\.res_layer\.1\.weight; unknown body\.24\.res_layer\.1\."
        r"weight; output_layer\.3\.weight is \(512, 25088\), not \(512, 12800\)\)",
    ):
        load_backbone_weights(on_meta(), tmp_path / "w.pth")
