from __future__ import annotations

import numpy as np
import pytest
import torch

from shifted import DIM
from waver.adaptation.base import LabelledTargetView, SourceModel, predict
from waver.adaptation.methods.oracle import Oracle, class_weights
from waver.evaluation.metrics import avgf1, f1


def view(frames: int, seed: int = 0, positives: float = 0.5) -> LabelledTargetView:
    rng = np.random.default_rng(seed)
    labels = (rng.random(frames + 60) < positives).astype(np.uint8)
    features = rng.standard_normal((frames + 60, DIM)).astype(np.float32)
    features[:, 0] += 3.0 * labels
    zeros, frame = np.zeros(frames, np.int32), np.arange(frames, dtype=np.int32)
    return LabelledTargetView(features[:frames], zeros, frame, labels[:frames], features[frames:], labels[frames:])


def model(seed: int = 0) -> SourceModel:
    torch.manual_seed(seed)
    return SourceModel(DIM).eval()


def score(network: SourceModel, target: LabelledTargetView, metric=avgf1) -> float:
    probability = predict(network, torch.tensor(target.val_features)).softmax(dim=1)[:, 1].numpy()
    return metric(probability, target.val_labels)


def test_class_weights_are_inverse_and_one_on_average() -> None:
    labels = torch.tensor([0] * 9 + [1] * 3)
    weight = class_weights(labels)
    assert weight[1] / weight[0] == pytest.approx(3)
    assert weight[labels].mean().item() == pytest.approx(1)
    assert class_weights(torch.tensor([1, 1])).tolist() == [0, 1]


def test_learns_and_leaves_the_source_model_alone() -> None:
    start, target = model(), view(400)
    before = {name: value.clone() for name, value in start.state_dict().items()}
    adapted = Oracle(Oracle.Config()).adapt(start, target, None, 0)
    assert score(adapted, target) > max(0.85, score(start, target) + 0.1)
    assert all(torch.equal(before[name], value) for name, value in start.state_dict().items())
    assert adapted.steps == 10 * 4


@pytest.mark.parametrize(("name", "metric"), [("AVGF1", avgf1), ("F1", f1)])
def test_keeps_the_best_epoch_on_validation(name: str, metric) -> None:
    for seed in range(5):
        target = view(60, seed, positives=0.2)
        start = model(seed)
        # a rate that overshoots, so that the last epoch is not the best
        adapted = Oracle(Oracle.Config(lr=3.0, epochs=6, select=name)).adapt(start, target, None, seed)
        assert score(adapted, target, metric) >= score(start, target, metric)


def test_nothing_gained_keeps_the_source_model() -> None:
    target = view(400)
    good = Oracle(Oracle.Config(epochs=20)).adapt(model(), target, None, 0)
    truth = predict(good, torch.tensor(target.val_features)).argmax(dim=1).numpy().astype(np.uint8)
    perfect = LabelledTargetView(target.features, target.video, target.frame, target.labels, target.val_features, truth)
    again = Oracle(Oracle.Config()).adapt(good, perfect, None, 0)
    assert all(torch.equal(one, other) for one, other in zip(good.parameters(), again.parameters(), strict=True))


def test_class_weights_find_more_of_a_rare_class() -> None:
    target = view(600, positives=0.05)
    found = []
    for weighted in (True, False):
        adapted = Oracle(Oracle.Config(class_weight=weighted)).adapt(model(), target, None, 0)
        probability = predict(adapted, torch.tensor(target.features)).softmax(dim=1)[:, 1].numpy()
        found.append(probability[target.labels == 1].mean())
    assert found[0] > found[1] + 0.05


def test_one_class_in_train_stays_finite() -> None:
    target = view(100, positives=0.0)
    adapted = Oracle(Oracle.Config(epochs=2)).adapt(model(), target, None, 0)
    assert torch.isfinite(predict(adapted, torch.tensor(target.features))).all()
