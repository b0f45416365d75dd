"""Encoder and decoders with attention in windows."""

import math

import pytest
import torch
from sequences import ends, normal

from waver.models.temporal.asformer import AsFormer, Block, WindowAttention, instance_norm
from waver.models.temporal.settings import AsFormerSettings
from waver.training.profiling.frames import flops_of


def small(**options):
    torch.manual_seed(0)
    return AsFormer(4, AsFormerSettings(**{"layers": 3, "width": 6, "classes": 3, **options})).eval()


def dense(attention, x, source, mask):
    """Attention with a matrix of all frames, of which the window is left."""
    x, source, frames = x.transpose(1, 2), source.transpose(1, 2), torch.arange(x.shape[-1])
    first = frames[:, None] - attention.window // 2
    seen = (frames >= first) & (frames < first + attention.window) & mask[:, None]
    query, key, value = attention.query(x), attention.key(x), attention.value(source)
    scores = (query @ key.transpose(1, 2) / key.shape[-1] ** 0.5).masked_fill(~seen, -torch.inf)
    return attention.output((scores.softmax(-1) @ value).relu()).transpose(1, 2)


def test_the_sizes_are_the_papers_and_the_count_is_the_releases():
    papers = AsFormerSettings(classes=11)
    assert (papers.layers, papers.decoders, papers.width, papers.dropout) == (10, 3, 64, 0.5)
    network = AsFormer(2048, papers)  # as released for GTEA: 2,048 features, 11 actions
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_130_860
    assert network.size == 4 * 11
    for stage in (network.encoder, *network.decoders):
        assert [block.attention.window for block in stage.blocks] == [2**level for level in range(10)]
        assert [block.dilated.dilation for block in stage.blocks] == [(2**level,) for level in range(10)]


@pytest.mark.parametrize("window", [1, 2, 5, 8, 64, 512])
def test_attention_in_blocks_is_attention_in_the_window(window):
    torch.manual_seed(0)
    attention, mask = WindowAttention(6, 4, window), ends(150, 97, 1)
    x, source = normal(3, 6, 150), normal(3, 6, 150, seed=1)
    found, wanted = attention(x, source, mask).transpose(1, 2)[mask], dense(attention, x, source, mask)
    assert torch.allclose(found, wanted.transpose(1, 2)[mask], atol=1e-6)


def test_instance_norm_takes_the_statistics_of_the_valid_frames():
    x, mask = normal(2, 5, 30) * 3 + 2, ends(30, 17)
    x[1, :, 17:] = 1e4
    normed = instance_norm(x, mask[:, None].float())
    for row, frames in enumerate((30, 17)):
        alone = torch.nn.InstanceNorm1d(5)(x[row : row + 1, :, :frames])
        assert torch.allclose(normed[row : row + 1, :, :frames], alone, atol=1e-5)
    assert not normed[1, :, 17:].any()
    assert not instance_norm(x, ends(30, 1)[:, None].float())[1].any()  # one frame is its own mean


@pytest.mark.parametrize("decoder", [False, True])
def test_a_block_is_the_published_sequence_of_layers(decoder):
    torch.manual_seed(0)
    block, mask = Block(AsFormerSettings(width=6, layers=3), 2, 0.3).eval(), ends(40, 25)
    keep = mask[:, None].float()
    x, source = normal(2, 6, 40) * keep, normal(2, 6, 40, seed=1) * keep if decoder else None
    wide = torch.nn.functional.pad(x, (4, 4))
    taps = torch.stack([wide[:, :, 4 * k : 4 * k + 40] for k in range(3)], dim=-1)
    hidden = (torch.einsum("bctk,ock->bot", taps, block.dilated.weight) + block.dilated.bias[:, None]).relu()
    normed = instance_norm(hidden, keep)
    attended = dense(block.attention, normed, source if decoder else normed, mask)
    mixed = torch.einsum("bct,oc->bot", 0.3 * attended + hidden, block.mix.weight[..., 0]) + block.mix.bias[:, None]
    found = block(x, source, mask, keep)
    assert torch.allclose(found.transpose(1, 2)[mask], (x + mixed).transpose(1, 2)[mask], atol=1e-5)
    assert not found.transpose(1, 2)[~mask].any()


def test_the_attention_of_each_decoder_counts_less():
    weights = [stage.blocks[1].weight for stage in (small().encoder, *small().decoders)]
    assert weights == [1, 1, math.exp(-3), math.exp(-6)]
    assert [stage.blocks[0].weight for stage in small(decay=0.0).decoders] == [1, 1, 1]


def test_decoders_see_the_softmax_and_the_features_of_the_stage_before():
    network, x, mask = small(decoders=2), normal(2, 4, 20), ends(20, 20)
    with torch.no_grad():
        before = network(x, mask)
        network.encoder.classify.bias += 1.5
        moved = network(x, mask)
        assert torch.allclose(moved[:, :3], before[:, :3] + 1.5, atol=1e-5)
        assert torch.allclose(moved[:, 3:], before[:, 3:], atol=1e-5)
        for stage in (network.encoder, network.decoders[0]):  # classes that say nothing of the frames
            stage.classify.weight.zero_()
        silent, other = network(x, mask), network(normal(2, 4, 20, seed=3), mask)
    assert torch.equal(silent[:, :6], other[:, :6])
    assert not torch.allclose(silent[:, 6:], other[:, 6:], atol=1e-4)


def test_an_encoder_can_stand_alone():
    assert small(decoders=0)(normal(1, 4, 9), ends(9)).shape == (1, 3, 9)


def test_operations_are_counted():
    frames, wanted = 128, 0
    for size in (4, 3):  # encoder on the input, decoder on the classes
        wanted += frames * (size * 6 + 6 * 3)
        for window in (1, 2, 4):
            convolutions, projections = 3 * 6 * 6 + 6 * 6, 4 * 6 * 3
            wanted += frames * (convolutions + projections + 2 * 3 * (64 + window - 1))
    assert flops_of(small(decoders=1), normal(1, 4, frames), ends(frames)) == 2 * wanted
