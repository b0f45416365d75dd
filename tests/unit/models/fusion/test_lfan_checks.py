"""How the attention of LFAN begins."""

import math

import pytest
import torch

from waver.models.fusion.lfan import ModalityAttention


@pytest.mark.parametrize("sizes", [[128], [128, 32], [128, 32, 128]])
def test_projections_begin_with_xavier_and_without_bias(sizes):
    torch.manual_seed(0)
    attention = ModalityAttention(sizes, heads=2, head_size=16, dropout=0.1)
    for linear, size in zip(attention.projections, sizes, strict=True):
        assert linear.weight.shape == (96, size)
    for linear in (*attention.projections, attention.output):
        bound = math.sqrt(6 / (linear.in_features + linear.out_features))
        assert 0.97 * bound < linear.weight.abs().max() <= bound
        assert not linear.bias.any()
    assert attention.output.in_features == attention.output.out_features == 32 * len(sizes)
