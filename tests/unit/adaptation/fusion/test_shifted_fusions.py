"""Fusions on people of known shift: what each method should repair, as on the bottleneck."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from shifted import DIM, Crowd, target_of
from waver.adaptation.fusion.network import FusionNetwork
from waver.adaptation.fusion.windows import Layout, fusion_view
from waver.adaptation.participants import Target, split_population
from waver.adaptation.runner import adapt_one, build_adapter
from waver.models.fusion.can import Can, CanConfig

SIZES = {"visual": DIM // 2, "audio": DIM // 2}
Shifted = tuple[FusionNetwork, list[Target]]


@pytest.fixture(scope="module")
def crowd() -> Shifted:
    """CAN without temporal context, trained on twenty people; half of the features are one stream, half the other."""
    people = Crowd(3)
    drawn = [people.frames(100, 0.5) for _ in range(20)]
    features = torch.from_numpy(np.stack([x for x, _ in drawn]))
    labels = torch.from_numpy(np.stack([y for _, y in drawn])).long()
    mean, deviation = features.mean((0, 1)), features.std((0, 1))
    torch.manual_seed(0)
    model = Can(SIZES, CanConfig(temporal="none", size=16))
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    streams = dict(zip(SIZES, ((features - mean) / deviation).split(DIM // 2, -1), strict=True))
    for _ in range(60):
        optimiser.zero_grad()
        model.loss(streams, labels, torch.ones(labels.shape, dtype=torch.bool)).backward()
        optimiser.step()
    drawn = [people.frames(600, 0.5) for _ in range(3)]
    targets = [
        target_of(((torch.from_numpy(x) - mean) / deviation).numpy(), y, f"8210{n}") for n, (x, y) in enumerate(drawn)
    ]
    return FusionNetwork(model, SIZES).eval(), targets


def accuracy(crowd: Shifted, method: str, **options: object) -> float:
    network, targets = crowd
    adapter, view_of = build_adapter(method, options), partial(fusion_view, layout=Layout(150, 1, joined=True))
    right = []
    for target in targets:
        split = split_population(target, "frame_random", 0.0)
        result = adapt_one(adapter, network, target, split, None, 0, view_of)
        right.append(((result.logits[:, 1] > result.logits[:, 0]) == target.labels[result.test]).mean())
    return float(np.mean(right))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("bn_adapt", {"source_frames": 0}),
        ("tent", {}),
        ("sar", {}),
        ("shot", {"epochs": 10, "lr": 1e-2}),
        ("nrc", {"epochs": 10, "lr": 1e-2}),
        ("cotta", {"views": 4}),
        ("memo", {"views": 4, "source_frames": 0}),
    ],
)
def test_balanced_participants_are_recovered_without_labels(crowd: Shifted, method: str, options: dict) -> None:
    assert accuracy(crowd, "source_only") < 0.85
    assert accuracy(crowd, method, **options) > 0.92


def test_labels_help_and_templates_little(crowd: Shifted) -> None:
    assert accuracy(crowd, "oracle", epochs=10) > 0.92
    assert accuracy(crowd, "source_only") - 0.02 < accuracy(crowd, "t3a") < 0.88
