from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from waver.adaptation.base import SourceModel, TargetView, predict
from waver.adaptation.methods.sfda.nrc import Bank, Nrc, diversity_loss


def bank_of(points: torch.Tensor, gap: float = 0.0, video: list[int] | None = None) -> Bank:
    count = len(points)
    numbers = torch.tensor(video or [0] * count)
    return Bank(functional.normalize(points, dim=1), numbers, torch.arange(count), gap)


def test_a_frame_is_no_neighbour_of_itself_even_among_equals() -> None:
    bank = bank_of(torch.ones(5, 3))
    for row in range(5):
        found = bank.nearest(torch.tensor([row]), 4)[0].tolist()
        assert sorted(found) == [other for other in range(5) if other != row]
    assert bank.nearest(torch.tensor([0]), 9).shape == (1, 4)


def test_frames_near_in_time_are_no_neighbours_where_a_gap_is_asked_for() -> None:
    points = torch.tensor([[1.0, 0.0], [1.0, 0.01], [1.0, 0.02], [1.0, 0.03], [0.0, 1.0]])
    assert bank_of(points).nearest(torch.tensor([0]), 1).item() == 1
    assert bank_of(points, gap=3.0).nearest(torch.tensor([0]), 1).item() == 3
    other_video = bank_of(points, gap=3.0, video=[0, 1, 0, 0, 0])
    assert other_video.nearest(torch.tensor([0]), 1).item() == 1


def test_what_a_frame_is_to_predict_follows_the_definition() -> None:
    generator = torch.Generator().manual_seed(0)
    points, stored = torch.randn(12, 4, generator=generator), torch.rand(12, 2, generator=generator)
    bank = bank_of(points)
    unit = functional.normalize(points, dim=1)
    order = [[j for j in torch.argsort(-(unit @ unit[i])).tolist() if j != i] for i in range(12)]
    for row in range(12):
        expected = torch.zeros(2)
        for near in order[row][:3]:
            expected += (1.0 if row in order[near][:2] else 0.1) * stored[near]
            for far in order[near][:2]:
                expected += 0.1 * stored[far]
        found = bank.wanted(torch.tensor([row]), stored, Nrc.Config(neighbours=3, expanded=2, affinity=0.1))[0]
        assert torch.allclose(found, expected, atol=1e-6)


def test_the_gradient_is_that_of_the_release_by_divergences() -> None:
    """Its terms are divergences whose first argument is p itself: their gradient is the product's."""
    stored = torch.tensor([[0.7, 0.3]])
    p = torch.tensor([[0.4, 0.6]], requires_grad=True)
    released = torch.autograd.grad(functional.kl_div(p, stored, reduction="sum"), p)[0]
    product = torch.autograd.grad(-(stored * p).sum(), p)[0]
    assert torch.allclose(released, product)


def test_diversity_is_least_where_the_mean_is_the_prior() -> None:
    def value(share: float, prior: tuple[float, float]) -> float:
        return diversity_loss(torch.tensor([[1 - share, share]]), torch.tensor(prior)).item()

    assert value(0.5, (0.5, 0.5)) == pytest.approx(-math.log(2), abs=1e-4)
    shares = np.linspace(0.05, 0.95, 19).tolist()
    assert min(shares, key=lambda share: value(share, (0.5, 0.5))) == pytest.approx(0.5)
    assert min(shares, key=lambda share: value(share, (0.8, 0.2))) == pytest.approx(0.2)


def test_a_mislabelled_frame_takes_the_label_of_its_cluster() -> None:
    generator = np.random.default_rng(0)
    side = np.repeat([-1.0, 1.0], 60)
    features = (side[:, None] * 3 + generator.normal(size=(120, 4)) * 0.3).astype(np.float32)
    target = TargetView(features, np.zeros(120, np.int32), np.arange(120, dtype=np.int32))
    torch.manual_seed(1)
    model = SourceModel(4)
    # the head puts the border through the second cluster
    with torch.no_grad():
        bottleneck = model.eval().bottleneck(torch.from_numpy(features))
        direction = bottleneck[60:].mean(0) - bottleneck[:60].mean(0)
        model.head.weight = torch.stack([-direction, direction])
        model.head.bias.copy_(torch.tensor([1.0, -1.0]) * (bottleneck[60:] @ direction).quantile(0.2))
    before = predict(model, torch.from_numpy(features)).argmax(1)
    assert 5 <= int((before[60:] == 0).sum()) <= 20
    adapted = Nrc(Nrc.Config(lr=1e-3)).adapt(model, target, None, 0)
    after = predict(adapted, torch.from_numpy(features)).argmax(1)
    assert after.tolist() == [0] * 60 + [1] * 60
