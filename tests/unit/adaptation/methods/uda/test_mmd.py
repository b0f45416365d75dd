from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from waver.adaptation.base import SourceModel, SourceView, TargetView
from waver.adaptation.methods.uda.mmd import Mmd, mmd
from waver.adaptation.methods.uda.paired_batches import SourceBatches, common_batch, whole_batches


def rows(seed: int, count: int, move: float = 0.0, width: int = 6) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + move


def test_one_row_each_has_the_value_by_hand() -> None:
    assert mmd(torch.zeros(1, 3), torch.ones(1, 3)).item() == pytest.approx(6.186276, abs=1e-6)
    by_hand = 10 - 2 * sum(math.exp(-value) for value in (4, 2, 1, 0.5, 0.25))
    assert by_hand == pytest.approx(6.186276, abs=1e-6)


def test_value_of_unequal_batches_follows_the_definition() -> None:
    first, second = rows(0, 4), rows(1, 7, 0.5)
    both = torch.cat([first, second]).numpy()
    distance = ((both[:, None] - both[None]) ** 2).sum(-1)
    width = distance.sum() / (11 * 11 - 11)
    kernel = sum(np.exp(-distance / (width * 2.0**power)) for power in range(-2, 3))
    expected = kernel[:4, :4].mean() + kernel[4:, 4:].mean() - 2 * kernel[:4, 4:].mean()
    assert mmd(first, second).item() == pytest.approx(expected, rel=1e-9)


def test_it_is_zero_of_equals_symmetric_and_blind_to_scale() -> None:
    first, second = rows(0, 32), rows(1, 20, 1.0)
    assert mmd(first, first).item() == pytest.approx(0, abs=1e-9)
    assert mmd(first, second).item() == pytest.approx(mmd(second, first).item())
    assert mmd(-3 * first, -3 * second).item() == pytest.approx(mmd(first, second).item())
    assert mmd(first, second).item() > 0.1
    assert mmd(torch.ones(3, 2), torch.ones(2, 2)).item() == 0


def test_features_get_a_gradient() -> None:
    first = rows(0, 8).requires_grad_(True)
    mmd(first, rows(1, 8, 1.0)).backward()
    assert first.grad is not None
    assert first.grad.abs().max() > 1e-3


def source_of(count: int, positives: int) -> SourceView:
    labels = (np.arange(count) < positives).astype(np.uint8)
    return SourceView(np.arange(count, dtype=np.float32)[:, None], labels, np.zeros(count, np.int32))


def test_source_batches_are_whole_and_drawn_anew_each_epoch() -> None:
    drawn = SourceBatches(source_of(50, 10), 16, "natural", torch.Generator().manual_seed(0))
    assert drawn.batches == 3
    epochs = []
    for _ in range(2):
        drawn.shuffle()
        found = [drawn.next() for _ in range(3)]
        for features, labels in found:
            assert torch.equal(labels, (features[:, 0] < 10).long())
        epochs.append(torch.cat([features for features, _ in found])[:, 0].tolist())
        assert len(set(epochs[-1])) == 48
    assert epochs[0] != epochs[1]


def test_balanced_source_batches_have_as_many_of_each_class() -> None:
    drawn = SourceBatches(source_of(200, 20), 40, "balanced", torch.Generator().manual_seed(0))
    assert drawn.batches == 1
    assert drawn.next()[1].sum() == 20


def test_an_epoch_ends_with_the_smaller_set() -> None:
    generator = torch.Generator().manual_seed(0)
    assert len(whole_batches(100, 16, 99, generator)) == 96
    assert len(whole_batches(100, 16, 2, generator)) == 32
    assert common_batch(128, 40, 1000) == 40


def test_weight_zero_is_source_training_alone_and_more_weight_brings_domains_nearer() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(256, 8)).astype(np.float32)
    source = SourceView(features, (features[:, 0] > 0).astype(np.uint8), np.zeros(256, np.int32))
    moved = (generator.normal(size=(256, 8)) + 3).astype(np.float32)
    target = TargetView(moved, np.zeros(256, np.int32), np.arange(256, dtype=np.int32))
    torch.manual_seed(0)
    model = SourceModel(8)
    distance = {}
    for weight in (0.0, 10.0):
        adapted = Mmd(Mmd.Config(weight=weight, lr=1e-2)).adapt(model, target, source, 0)
        assert adapted.steps - model.steps == 20
        with torch.no_grad():
            both = adapted.eval().bottleneck(torch.from_numpy(np.concatenate([features, moved])))
        distance[weight] = mmd(both[:256], both[256:]).item()
    assert distance[10.0] < 0.5 * distance[0.0]
