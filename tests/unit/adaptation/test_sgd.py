from __future__ import annotations

import pytest
import torch
from torch import Tensor

from waver.adaptation.base import SourceModel
from waver.adaptation.sgd import Schedule, descend


def test_rates() -> None:
    power = Schedule(lr=1.0, epochs=1, batch=2, weight_decay=0)
    assert power.lr_at(0) == 1
    assert power.lr_at(1) == pytest.approx(11**-0.75)
    cosine = Schedule(lr=2e-4, epochs=1, batch=2, weight_decay=0, decay="cosine")
    assert [cosine.lr_at(done) for done in (0, 0.5, 1)] == pytest.approx([2e-4, 1.1e-4, 2e-5])


def test_walks_every_row_each_epoch_and_skips_a_lone_one() -> None:
    torch.manual_seed(0)
    model = SourceModel(3)
    features = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
    seen: list[list[int]] = []

    def loss(rows: Tensor) -> Tensor:
        seen.append(rows.tolist())
        return model(features[rows]).square().mean()

    schedule = Schedule(lr=1e-3, epochs=2, batch=4, weight_decay=0)
    losses = list(descend(model, model.parameters(), schedule, lambda: torch.arange(9), loss))
    assert seen == [[0, 1, 2, 3], [4, 5, 6, 7]] * 2
    assert model.steps == 4
    assert losses[1] < losses[0]


@pytest.mark.parametrize("nesterov", [True, False])
def test_steps_are_those_of_sgd_with_the_rate_of_the_schedule(nesterov: bool) -> None:
    torch.manual_seed(0)
    features = torch.randn(8, 3)
    ours, theirs = SourceModel(3), SourceModel(3)
    theirs.load_state_dict(ours.state_dict())
    schedule = Schedule(lr=0.05, epochs=6, batch=8, weight_decay=0.1, nesterov=nesterov)
    loss = lambda model, rows: model(features[rows]).square().mean()  # noqa: E731
    list(descend(ours, ours.parameters(), schedule, lambda: torch.arange(8), lambda rows: loss(ours, rows)))
    optimiser = torch.optim.SGD(theirs.parameters(), lr=0.05, momentum=0.9, weight_decay=0.1, nesterov=nesterov)
    theirs.train()
    for epoch in range(6):
        optimiser.param_groups[0]["lr"] = 0.05 * (1 + 10 * epoch / 6) ** -0.75
        optimiser.zero_grad()
        loss(theirs, torch.arange(8)).backward()
        optimiser.step()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(one, other)


def test_only_the_chosen_parameters_move() -> None:
    torch.manual_seed(0)
    model = SourceModel(3)
    before = {name: value.clone() for name, value in model.named_parameters()}
    schedule = Schedule(lr=0.1, epochs=1, batch=8, weight_decay=0.1)
    features = torch.randn(8, 3)
    list(
        descend(model, [model.bottleneck[0].weight], schedule, lambda: torch.arange(8), lambda r: model(features).sum())
    )
    moved = {name for name, value in model.named_parameters() if not torch.equal(before[name], value)}
    assert moved == {"bottleneck.0.weight"}


def test_head_rows_are_scaled_unit_vectors() -> None:
    head = SourceModel(3).head
    scale, direction = head.parametrizations.weight.original0, head.parametrizations.weight.original1
    assert scale.shape == (2, 1)
    expected = scale * direction / direction.norm(dim=1, keepdim=True)
    assert torch.allclose(head.weight, expected)
    assert head.bias.tolist() == [0, 0]
