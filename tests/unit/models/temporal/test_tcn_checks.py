"""How the TCN begins and what one of its blocks computes, as published."""

import math

import torch
from torch import nn
from torch.nn.functional import conv1d, leaky_relu

from waver.models.temporal.tcn import Block, Convolution, Tcn


def test_convolutions_begin_as_torchs_own_and_only_the_residual_with_xavier():
    torch.manual_seed(3)
    ours = Convolution(24, 16, 5, 2, 0.1, causal=True)
    torch.manual_seed(3)
    plain = nn.Conv1d(24, 16, 5, dilation=2)
    torch.testing.assert_close(ours.convolution.weight, plain.weight)
    assert torch.equal(ours.convolution.bias, plain.bias)
    residual = Block(24, 16, 5, 2, 0.1, causal=True).residual.weight
    bound = math.sqrt(2) * math.sqrt(6 / (24 + 16))
    assert bound > 1 / math.sqrt(24), "torch's own would be narrower"
    assert 0.97 * bound < residual.abs().max() <= bound


def test_a_block_is_the_published_sequence_with_padding_on_both_sides_cut_off():
    torch.manual_seed(0)
    block, x, dilation = Block(6, 4, 5, 4, 0.1, causal=True).eval(), torch.randn(2, 6, 40), 4
    y = x
    for layer in (block.first.convolution, block.second.convolution):
        padded = conv1d(y, layer.weight, layer.bias, dilation=dilation, padding=4 * dilation)
        y = leaky_relu(padded[:, :, : -4 * dilation], 0.01)
    expected = leaky_relu(y + block.residual(x), 0.01)
    torch.testing.assert_close(block(x, None), expected)


def test_there_is_no_normalisation_but_that_of_weights_and_no_attention():
    kinds = {type(part).__name__ for part in Tcn(6, (8, 8), 5, 0.1, causal=True).modules()}
    assert not [kind for kind in kinds if kind.startswith(("BatchNorm", "LayerNorm", "GroupNorm", "Multihead"))]
    assert Block(8, 8, 5, 1, 0.1, causal=True).residual is None
