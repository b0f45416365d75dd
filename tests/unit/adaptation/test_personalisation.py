"""The methods on people of known shift: what each should repair, and what it should spoil."""

from __future__ import annotations

import numpy as np
import pytest

from shifted import Crowd, target_of
from waver.adaptation.base import SourceModel, SourceView
from waver.adaptation.participants import Target, split_population
from waver.adaptation.runner import adapt_one, build_adapter
from waver.adaptation.source_model import fit_source

Shifted = tuple[SourceModel, SourceView, dict[float, list[Target]]]


@pytest.fixture(scope="module")
def crowd() -> Shifted:
    """A source model of twenty people, their frames, and three target people for each share of positive frames."""
    people = Crowd(3)
    drawn = [people.frames(150, 0.5) for _ in range(20)]
    features, labels = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    features = (features - mean) / deviation
    model, _ = fit_source((features[:2400], labels[:2400]), (features[2400:], labels[2400:]), 0, 8)
    targets: dict[float, list[Target]] = {}
    for prior in (0.5, 0.1):
        drawn = [people.frames(900, prior) for _ in range(3)]
        targets[prior] = [target_of((x - mean) / deviation, y, f"8210{n}") for n, (x, y) in enumerate(drawn)]
    return model, SourceView(features, labels, np.repeat(np.arange(20, dtype=np.int32), 150)), targets


def accuracy_and_rate(crowd: Shifted, prior: float, method: str, **options: object) -> tuple[float, float]:
    model, source, targets = crowd
    adapter = build_adapter(method, options)
    right, positive = [], []
    for target in targets[prior]:
        split = split_population(target, "frame_random", 0.0)
        result = adapt_one(adapter, model, target, split, source if adapter.needs.source else None, 0)
        predicted = result.logits[:, 1] > result.logits[:, 0]
        right.append((predicted == target.labels[result.test]).mean())
        positive.append(predicted.mean())
    return float(np.mean(right)), float(np.mean(positive))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("shot", {}),
        ("nrc", {}),
        ("mmd", {"lr": 1e-3}),
        ("acpl", {"lr": 1e-3}),
        ("bn_adapt", {"source_frames": 0}),
        ("tent", {}),
        ("eata", {}),
        ("sar", {}),
    ],
)
def test_balanced_participants_are_recovered_without_labels(crowd: Shifted, method: str, options: dict) -> None:
    assert accuracy_and_rate(crowd, 0.5, "source_only")[0] < 0.7
    assert accuracy_and_rate(crowd, 0.5, method, **options)[0] >= 0.9


def test_templates_help_little_and_labels_most(crowd: Shifted) -> None:
    plain = accuracy_and_rate(crowd, 0.5, "source_only")[0]
    assert plain < accuracy_and_rate(crowd, 0.5, "t3a")[0] < 0.8
    assert accuracy_and_rate(crowd, 0.5, "oracle")[0] > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("method", ["shot", "nrc", "tent", "eata", "sar"])
def test_rare_ambivalence_is_driven_towards_a_half(crowd: Shifted, method: str) -> None:
    accuracy, rate = accuracy_and_rate(crowd, 0.1, method)
    assert rate > 0.4
    assert accuracy < accuracy_and_rate(crowd, 0.1, "source_only")[0] - 0.2
    assert accuracy < accuracy_and_rate(crowd, 0.1, "oracle")[0] - 0.2
