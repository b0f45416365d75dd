import pytest
import torch
from torch import nn

from waver.models.backbones.resnet import Bottleneck
from waver.records import load
from waver.registry import BACKBONES

PARAMETERS = {
    "resnet18": 11_176_512,
    "resnet34": 21_284_672,
    "resnet50": 23_508_032,
    "resnet101": 42_500_160,
    "resnet152": 58_143_808,
}
REDUCTION = 1_053_184


def on_meta(name, **options):
    backbone = load(BACKBONES, name)
    with torch.device("meta"):
        return backbone(backbone.Config(**options))


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("name", PARAMETERS)
def test_it_has_the_published_number_of_parameters(name):
    model = on_meta(name)
    reduction = 0 if name in ("resnet18", "resnet34") else REDUCTION
    assert count(model.reduction) == reduction
    assert count(model) == PARAMETERS[name] + reduction


@pytest.mark.parametrize(("name", "pooled"), [("resnet34", 512), ("resnet50", 2048)])
def test_the_reduction_is_the_identity_where_the_sizes_agree(name, pooled):
    assert isinstance(on_meta(name, size=pooled).reduction, nn.Identity)
    kinds = [type(layer) for layer in on_meta(name, size=100).reduction]
    assert kinds == [nn.ReLU, nn.BatchNorm1d, nn.Linear, nn.ReLU]


def test_the_last_map_of_a_face_is_four_by_four():
    model, seen = on_meta("resnet18"), []
    model.layer4.register_forward_hook(lambda module, given, maps: seen.append(maps.shape))
    model(torch.zeros(1, 3, 112, 112, device="meta"))
    assert seen == [(1, 512, 4, 4)]


def test_the_bottleneck_takes_its_step_in_the_wide_convolution():
    block = Bottleneck(64, 32, stride=2)
    assert (block.conv1.stride, block.conv2.stride, block.conv3.stride) == ((1, 1), (2, 2), (1, 1))


def test_any_side_passes_up_to_the_mean_and_only_faces_of_112_beyond():
    model = on_meta("resnet50")
    assert model.pooled(torch.zeros(2, 3, 160, 96, device="meta")).shape == (2, 2048)
    with pytest.raises(ValueError, match=r"images has shape \(2, 3, 160, 96\)"):
        model(torch.zeros(2, 3, 160, 96, device="meta"))
