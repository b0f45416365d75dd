"""APViT's learned measures of salience, and how the stem begins."""

import math

import pytest
import torch
from torch import nn

from parity.backbones import fixed_maps, fixed_salience
from waver.models.backbones.apvit import WIDTH, Apvit, ApvitSettings, PoolingViT, learned_salience
from waver.models.backbones.ir50 import Ir50
from waver.models.backbones.pretrained import load_backbone_weights

LEARNT = {
    "lanet": (768 * 48 + 48) + 2 * 48 + (48 + 1) + 2,
    "conv": (768 * 128 + 128) + (128 + 1),
    "gated": 2 * (768 * 128 + 128) + (128 + 1),
}
"""Parameters of each."""
PUBLISHED = {
    "lanet": [[0.574077, 0.688949, 0.807062], [0.471191, 0.610494, 0.86909]],
    "conv": [[0.677588, 0.636843, 0.829182], [0.506707, 0.355073, 0.629994]],
    "gated": [[-0.768238, 0.478223, -0.562402], [-0.586797, -0.419041, -0.323484]],
}
"""Of the papers' release for fixed weights and maps, recorded by ``tests/parity/backbones.py``."""


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def vit():
    """A transformer whose blocks leave the tokens alone, so that little is computed."""
    torch.manual_seed(0)
    with torch.device("meta"):
        made = PoolingViT(ApvitSettings(patches=40))
    made.blocks = nn.ModuleList([nn.Identity()])
    made = made.to_empty(device="cpu")
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.02)
    return made


@pytest.mark.parametrize("kind", LEARNT)
def test_a_learnt_salience_adds_its_parameters_and_the_fixed_ones_none(kind):
    with torch.device("meta"):
        assert count(PoolingViT(ApvitSettings(salience=kind))) == 47_592_192 + LEARNT[kind]
        assert count(PoolingViT(ApvitSettings(salience="max"))) == 47_592_192
    assert LEARNT == {"lanet": 37_059, "conv": 98_561, "gated": 196_993}


@pytest.mark.parametrize("kind", LEARNT)
def test_a_learnt_salience_chooses_patches_scales_them_and_learns(vit, kind):
    torch.manual_seed(1)
    vit.attn_f = learned_salience(kind).eval()
    maps, seen = torch.randn(2, 256, 14, 14), []
    hook = vit.blocks[0].register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    vit(maps)
    hook.remove()
    with torch.no_grad():
        projected = vit.projs[0](maps)
        salience = vit.attn_f(projected)
        assert salience.shape == (2, 1, 14, 14)
        places = salience.flatten(1).topk(40).indices.sort(dim=1).values
        tokens = (projected * salience).flatten(2).transpose(1, 2) + vit.patch_pos_embed
        expected = tokens.gather(1, places[..., None].expand(-1, -1, WIDTH))
    torch.testing.assert_close(seen[0][:, 1:].detach(), expected)
    seen[0].square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in vit.attn_f.parameters())
    vit.attn_f = None


def test_local_and_convolutional_salience_lie_between_zero_and_one_and_gated_does_not():
    torch.manual_seed(0)
    maps = 30 * torch.randn(4, WIDTH, 14, 14)
    with torch.no_grad():
        found = {kind: learned_salience(kind)(maps) for kind in LEARNT}
    assert all(0 <= found[kind].min() <= found[kind].max() <= 1 for kind in ("lanet", "conv"))
    assert found["gated"].min() < 0


@pytest.mark.parametrize("kind", PUBLISHED)
def test_learnt_salience_is_that_of_the_release(kind):
    with torch.no_grad():
        found = fixed_salience(kind)(fixed_maps())[:, 0, 0, [0, 7, 13]]
    torch.testing.assert_close(found, torch.tensor(PUBLISHED[kind]), atol=1e-5, rtol=1e-5)


def test_published_weights_hold_no_learnt_salience(tmp_path):
    with torch.device("meta"):
        plain, model = Apvit(ApvitSettings(size=WIDTH)), Apvit(ApvitSettings(size=WIDTH, salience="lanet"))
    state = {name: torch.zeros(()).expand(value.shape) for name, value in plain.state_dict().items()}
    torch.save(state, tmp_path / "apvit.pth")
    assert load_backbone_weights(model, tmp_path / "apvit.pth") == ("vit.attn_f.",)


def test_the_stem_begins_with_xavier_and_norms_that_change_nothing():
    torch.manual_seed(0)
    stem = Ir50()
    for part in stem.modules():
        if isinstance(part, nn.Conv2d):
            area = math.prod(part.kernel_size)
            bound = math.sqrt(6 / (area * (part.in_channels + part.out_channels)))
            assert 0.95 * bound < part.weight.abs().max() <= bound
            assert part.bias is None
        elif isinstance(part, nn.BatchNorm2d):
            assert (part.weight == 1).all()
            assert (part.bias == 0).all()
