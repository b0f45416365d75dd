import copy

import pytest
import torch
from torch import nn

from waver.models.backbones.base import BackboneSettings, Classified, reduction
from waver.models.freeze import freeze
from waver.records import load
from waver.registry import BACKBONES


class Small(nn.Module):
    """A backbone of one convolution, with the reduction of the others."""

    zero_head = False

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.body = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1))
        self.reduction = reduction(6, config.size)

    def forward(self, images):
        return self.reduction(self.body(images).flatten(1))


def images():
    return 5 + torch.randn(4, 3, 8, 8)


def snapshot(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def unchanged(module, before):
    return all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_frozen_network_stays_as_it_is_through_train_calls():
    backbone = Small(BackboneSettings(size=4))
    model = Classified(freeze(backbone), 2)
    before = snapshot(backbone)
    optimiser = torch.optim.SGD((p for p in model.parameters() if p.requires_grad), lr=0.1)
    for _ in range(3):
        model.train()
        model(images()).square().sum().backward()
        optimiser.step()
    assert model.training
    assert model.head[0].training
    assert not any(part.training for part in backbone.modules())
    assert unchanged(backbone, before)
    assert all(parameter.grad is None for parameter in backbone.parameters())


def test_the_same_network_not_frozen_would_have_moved():
    model = Classified(Small(BackboneSettings(size=4)), 2).train()
    before = snapshot(model.backbone)
    model(images())
    assert not unchanged(model.backbone, before), "BatchNorm keeps statistics in training"


def test_no_part_can_be_put_back_into_training():
    backbone = freeze(Small(BackboneSettings(size=4)))
    before = snapshot(backbone)
    for part in backbone.modules():
        part.train()
    backbone(images())
    assert unchanged(backbone, before)
    assert torch.equal(backbone(x := images()), backbone(x)), "no dropout"


def test_a_copy_of_a_frozen_network_is_frozen_too():
    backbone = freeze(Small(BackboneSettings(size=4)))
    twin = copy.deepcopy(backbone)
    assert twin.train() is twin
    assert not any(part.training for part in twin.modules())


def test_the_head_is_reduction_and_classes():
    model = Classified(Small(BackboneSettings(size=4)), 2)
    head = {id(p) for p in model.head_parameters()}
    assert head == {id(p) for name, p in model.named_parameters() if name.startswith(("backbone.reduction.", "head."))}
    assert sum(p.numel() for p in model.head_parameters()) == 2 * 6 + (6 * 4 + 4) + (4 * 2 + 2)


def test_without_a_reduction_the_classes_alone_are_new():
    model = Classified(Small(BackboneSettings(size=6)), 3)
    assert sum(p.numel() for p in model.head_parameters()) == 6 * 3 + 3
    assert model.head[0].p == 0.1


WHOLE = {"apvit": {"salience": "gated"}}
"""Options with which a backbone has all of its parts."""


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_keeps_the_contract(name):
    backbone = load(BACKBONES, name)
    assert backbone.Config().size == 512
    with torch.device("meta"):
        network = backbone(backbone.Config(size=40, **WHOLE.get(name, {})))
    parts = {part for part in network.PARTS if any(key.startswith(part) for key in network.state_dict())}
    assert parts == set(network.PARTS)
    assert callable(network.translated)
    with pytest.raises(ValueError, match="frozen"):
        network.config.size = 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "apvit"])
def test_a_face_gives_one_feature_and_its_classes(name):
    backbone = load(BACKBONES, name)
    with torch.device("meta"):
        model, faces = Classified(backbone(backbone.Config(size=40)), 7), torch.zeros(2, 3, 112, 112)
    assert model.backbone(faces).shape == (2, 40)
    assert model(faces).shape == (2, 7)


def test_the_classes_of_apvit_begin_at_zero_and_those_of_resnets_do_not():
    zero = Classified(small := Small(BackboneSettings(size=4)), 2).head[1]
    assert zero.weight.abs().sum() > 0
    small.zero_head = load(BACKBONES, "apvit").zero_head
    begun = Classified(small, 2).head[1]
    assert not begun.weight.any()
    assert not begun.bias.any()
    assert not load(BACKBONES, "resnet50").zero_head


def test_a_seed_decides_the_weights():
    resnet = load(BACKBONES, "resnet18")
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        states.append(resnet(resnet.Config()).state_dict()["layer3.0.conv1.weight"])
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])
