"""The methods on people of known shift: what each should repair, and what it should spoil."""

from __future__ import annotations

import numpy as np
import pytest
from shifted import Crowd, target_of

from waver.adaptation.contracts import SourceModel
from waver.adaptation.runner import Target, adapt_one, build_adapter, split_population
from waver.adaptation.source import fit_source


@pytest.fixture(scope="module")
def crowd() -> tuple[SourceModel, dict[float, list[Target]]]:
    """A source model of twenty people, and three target people for each share of positive frames."""
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
    return model, targets


def accuracy_and_rate(model: SourceModel, targets: list[Target], method: str, **options: object) -> tuple[float, float]:
    adapter = build_adapter(method, options)
    right, positive = [], []
    for target in targets:
        result = adapt_one(adapter, model, target, split_population(target, "frame_random", 0.0), None, 0)
        predicted = result.logits[:, 1] > result.logits[:, 0]
        right.append((predicted == target.labels[result.test]).mean())
        positive.append(predicted.mean())
    return float(np.mean(right)), float(np.mean(positive))


def test_balanced_participants_are_recovered_without_labels(crowd) -> None:
    model, targets = crowd
    plain = accuracy_and_rate(model, targets[0.5], "source_only")[0]
    assert plain < 0.85
    assert accuracy_and_rate(model, targets[0.5], "shot")[0] > 0.9
    assert accuracy_and_rate(model, targets[0.5], "oracle")[0] > 0.95


def test_shot_drives_rare_ambivalence_towards_a_half(crowd) -> None:
    model, targets = crowd
    accuracy, rate = accuracy_and_rate(model, targets[0.1], "shot")
    assert rate > 0.4
    assert accuracy < accuracy_and_rate(model, targets[0.1], "source_only")[0] - 0.2
    assert accuracy < accuracy_and_rate(model, targets[0.1], "oracle")[0] - 0.2
