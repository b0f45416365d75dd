import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from waver.models.backbones.apvit import (
    HEADS,
    WIDTH,
    Apvit,
    ApvitSettings,
    Attention,
    PoolingBlock,
    PoolingViT,
    strongest,
)
from waver.models.backbones.base import Classified


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def maps():
    return torch.randn(2, 256, 14, 14, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def vit():
    torch.manual_seed(0)
    return PoolingViT(ApvitSettings()).eval().requires_grad_(False)


def test_it_has_the_published_numbers_of_parameters():
    with torch.device("meta"):
        model = Classified(Apvit(ApvitSettings(size=WIDTH)), 2)
        reduced = Apvit(ApvitSettings())
    assert count(model.backbone.extractor) == 17_611_968
    assert count(model.backbone.vit) == 47_592_192
    assert count(model.head) == 1_538
    assert count(model) == 65_205_698
    assert count(reduced.reduction) == 395_264


@pytest.mark.slow
def test_tokens_are_dropped_as_published(vit, maps):
    trace = []
    assert maps[0].shape == (256, 14, 14)
    hooks = [b.register_forward_hook(lambda m, x, y: trace.append((x[0].shape[1], y.shape[1]))) for b in vit.blocks]
    vit(maps[:1])
    for hook in hooks:
        hook.remove()
    assert trace == [(161, 161)] * 4 + [(161, 145), (145, 130), (130, 117), (117, 105)]


@pytest.mark.slow
def test_keeping_everything_makes_it_a_plain_transformer(vit, maps, monkeypatch):
    model, pooled = vit, vit(maps)
    monkeypatch.setattr(model, "patches", 196)
    for block in model.blocks:
        monkeypatch.setattr(block, "keep", 1.0)
    tokens = model.projs[0](maps).flatten(2).transpose(1, 2) + model.patch_pos_embed
    tokens = torch.cat([(model.cls_token + model.cls_pos_embed).expand(2, -1, -1), tokens], dim=1)
    for block in model.blocks:
        normed = functional.layer_norm(tokens, (WIDTH,), block.norm1.weight, block.norm1.bias, eps=1e-6)
        mixed, _ = functional.multi_head_attention_forward(
            *[normed.transpose(0, 1)] * 3, WIDTH, HEADS, block.attn.qkv.weight, None, None, None, False, 0.0,
            block.attn.proj.weight, block.attn.proj.bias, training=False, need_weights=False,
        )  # fmt: skip
        tokens = tokens + mixed.transpose(0, 1)
        normed = functional.layer_norm(tokens, (WIDTH,), block.norm2.weight, block.norm2.bias, eps=1e-6)
        inner = functional.gelu(functional.linear(normed, block.mlp.fc1.weight, block.mlp.fc1.bias))
        tokens = tokens + functional.linear(inner, block.mlp.fc2.weight, block.mlp.fc2.bias)
    plain = functional.layer_norm(tokens, (WIDTH,), model.norm.weight, model.norm.bias, eps=1e-6)[:, 0]
    torch.testing.assert_close(model(maps), plain, atol=1e-5, rtol=0)
    assert not torch.allclose(pooled, plain, atol=1e-3), "pooling changes something"


def test_the_order_of_heads_does_not_matter():
    torch.manual_seed(0)
    attention, swapped, tokens = Attention(), Attention(), torch.randn(2, 30, WIDTH)
    order = [0, 5, 2, 3, 4, 1, 6, 7]  # heads 1 and 5 change places
    weight = attention.qkv.weight.unflatten(0, (3, HEADS, -1))[:, order].flatten(0, 2)
    output = attention.proj.weight.unflatten(1, (HEADS, -1))[:, order].flatten(1)
    swapped.load_state_dict({"qkv.weight": weight, "proj.weight": output, "proj.bias": attention.proj.bias})
    (first, score), (second, other) = attention(tokens), swapped(tokens)
    assert torch.equal(score[:, order], other)
    torch.testing.assert_close(first, second, atol=1e-5, rtol=0)
    kept = [s.sum(1).topk(20).indices.sort().values for s in (score, other)]
    assert torch.equal(*kept)


def test_the_scores_are_the_logits_before_the_softmax():
    torch.manual_seed(0)
    attention, tokens = Attention(), torch.randn(1, 6, WIDTH)
    query, key, value = attention.qkv(tokens).unflatten(-1, (3, HEADS, 96)).permute(2, 0, 3, 1, 4)
    logits = query @ key.transpose(-1, -2) * 96**-0.5
    mixed, found = attention(tokens)
    torch.testing.assert_close(found, logits[:, :, 0, 1:], atol=1e-6, rtol=0)
    whole = (logits.softmax(-1) @ value).transpose(1, 2).flatten(2)
    torch.testing.assert_close(mixed, attention.proj(whole), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("heed", "kept"), [("sum", [0, 2]), ("sum_abs", [1, 2])])
def test_a_block_keeps_the_tokens_that_the_class_token_heeds(heed, kept):
    block = PoolingBlock(0.7, heed)
    nn.init.zeros_(block.mlp.fc2.weight)
    nn.init.zeros_(block.mlp.fc2.bias)
    score = torch.tensor([[[0.5, -3.0, 2.0]] + [[0.0, 0.0, 0.0]] * 7])
    block.attn.forward = lambda tokens: (torch.zeros_like(tokens), score)
    tokens = torch.randn(1, 4, WIDTH)
    assert torch.equal(block(tokens), tokens[:, [0, *[1 + place for place in kept]]])


def test_the_strongest_keep_their_order_and_the_first_of_equals_wins():
    tokens = torch.arange(10.0).reshape(1, 5, 2)
    score = torch.tensor([[1.0, 3.0, 1.0, 1.0, 2.0]])
    assert strongest(tokens, score, 3)[0, :, 0].tolist() == [0, 2, 8]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("salience", "measure"),
    [
        ("sum_abs", lambda maps: maps.abs().sum(1)),
        ("sum", lambda maps: maps.sum(1)),
        ("sum_squares", lambda maps: (maps**2).sum(1)),
        ("max", lambda maps: maps.max(1).values),
    ],
)
def test_patches_are_chosen_from_the_projected_maps(vit, maps, salience, measure):
    chosen = []
    vit.salience = salience
    hook = vit.blocks[0].register_forward_pre_hook(lambda module, given: chosen.append(given[0]))
    vit(maps[:1])
    hook.remove()
    vit.salience = "sum_abs"
    projected = vit.projs[0](maps[:1])
    places = measure(projected).flatten().topk(160).indices.sort().values
    expected = (projected.flatten(2).transpose(1, 2) + vit.patch_pos_embed)[:, places]
    assert torch.equal(chosen[0][:, 1:], expected)


def test_a_settings_typo_is_refused():
    with pytest.raises(ValueError, match="patches"):
        ApvitSettings(patches=197)
    assert math.isclose(ApvitSettings().keep, 0.9)
