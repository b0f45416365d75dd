from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cosine

from shifted import DIM
from waver.adaptation.base import SourceModel, TargetView
from waver.adaptation.methods.sfda.shot import Shot, information_loss, pseudo_labels

UNIFORM = torch.full((2,), 0.5)


def model_and_view(seed: int = 0, frames: int = 150) -> tuple[SourceModel, TargetView]:
    torch.manual_seed(seed)
    features = np.random.default_rng(seed).standard_normal((frames, DIM)).astype(np.float32)
    return SourceModel(DIM).eval(), TargetView(features, np.zeros(frames, np.int32), np.arange(frames, dtype=np.int32))


def test_information_loss_of_known_predictions() -> None:
    balanced = torch.eye(2).repeat(5, 1)
    assert information_loss(balanced, UNIFORM).item() == pytest.approx(-math.log(2), abs=1e-4)
    assert information_loss(torch.full((8, 2), 0.5), UNIFORM).item() == pytest.approx(0, abs=1e-6)
    assert information_loss(torch.tensor([[1.0, 0.0]] * 8), UNIFORM).item() == pytest.approx(0, abs=1e-6)


def test_prior_takes_the_place_of_the_uniform_marginal() -> None:
    prior = torch.tensor([0.8, 0.2])
    batches = {rate: torch.eye(2)[[0] * (10 - rate) + [1] * rate] for rate in range(11)}
    losses = {rate: information_loss(batch, prior).item() for rate, batch in batches.items()}
    assert min(losses, key=losses.__getitem__) == 2
    for rate, batch in batches.items():
        mean = torch.tensor([(10 - rate) / 10, rate / 10])
        divergence = torch.special.xlogy(mean, mean / prior).sum()
        assert losses[rate] == pytest.approx(divergence.item() - math.log(2), abs=1e-4)
        assert information_loss(batch, None).item() == pytest.approx(0, abs=1e-4)


TOY = torch.tensor([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9], [0.6, 0.5]])
TOY_LOGITS = torch.tensor([[2.0, 0], [2, 0], [0, 2], [0, 2], [-0.1, 0]])


def test_pseudo_labels_correct_a_point_nearer_the_other_centroid() -> None:
    assert TOY_LOGITS.argmax(dim=1).tolist() == [0, 0, 1, 1, 1]
    assert pseudo_labels(TOY, TOY_LOGITS).tolist() == [0, 0, 1, 1, 0]


def test_permuting_frames_permutes_pseudo_labels() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(200, 8, generator=generator)
    logits = torch.randn(200, 2, generator=generator)
    order = torch.randperm(200, generator=generator)
    labels = pseudo_labels(features, logits)
    assert 20 < labels.sum() < 180
    assert torch.equal(pseudo_labels(features[order], logits[order]), labels[order])


def test_class_that_nothing_is_predicted_as_takes_no_part() -> None:
    logits = torch.tensor([[0.1, 0.0]] * 5)
    assert pseudo_labels(TOY, logits).tolist() == [0] * 5
    # three classes, the third nearest to nothing and never predicted
    three = torch.cat([TOY_LOGITS, torch.full((5, 1), -9.0)], dim=1)
    assert pseudo_labels(TOY, three).tolist() == [0, 0, 1, 1, 0]


def by_the_letter(features: np.ndarray, logits: np.ndarray) -> list[int]:
    """The procedure of the SHOT paper, frame by frame and class by class."""
    points = [np.append(row, 1) / np.linalg.norm(np.append(row, 1)) for row in features.astype(float)]
    weights = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = [int(row.argmax()) for row in logits]
    for _ in range(2):
        centroids = {
            c: sum(w[c] * point for w, point in zip(weights, points, strict=True)) / sum(w[c] for w in weights)
            for c in set(labels)
        }
        labels = [min(centroids, key=lambda c: cosine(point, centroids[c])) for point in points]
        weights = np.eye(logits.shape[1])[labels]
    return labels


@pytest.mark.parametrize("classes", [2, 3])
def test_pseudo_labels_follow_the_paper(classes: int) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        features, logits = rng.standard_normal((40, 3)), 2 * rng.standard_normal((40, classes))
        logits[:, -1] -= seed  # from a frequent class to one that is never predicted
        expected = by_the_letter(features, logits)
        assert pseudo_labels(torch.tensor(features), torch.tensor(logits)).tolist() == expected


def test_head_stays_bit_for_bit_and_the_bottleneck_moves() -> None:
    model, view = model_and_view()
    adapted = Shot(Shot.Config(epochs=3)).adapt(model, view, None, 0)
    for (name, before), after in zip(model.head.state_dict().items(), adapted.head.state_dict().values(), strict=True):
        assert torch.equal(before, after), name
    assert not torch.equal(model.bottleneck[0].weight, adapted.bottleneck[0].weight)
    assert all(parameter.requires_grad for parameter in adapted.parameters())


def test_statistics_of_batch_norm_become_the_participants() -> None:
    model, view = model_and_view()
    moved = TargetView(view.features + 3, view.video, view.frame)
    adapted = Shot(Shot.Config()).adapt(model, moved, None, 0)
    hidden = adapted.bottleneck[0](torch.tensor(moved.features))
    norm = adapted.bottleneck[1]
    assert (norm.running_mean - hidden.mean(dim=0)).abs().mean() < 0.1 * hidden.mean(dim=0).abs().mean()


def test_steps_are_those_of_the_schedule() -> None:
    model, view = model_and_view(frames=129)  # two batches of 64 and one frame, which is skipped
    assert Shot(Shot.Config(epochs=4)).adapt(model, view, None, 0).steps == 8
    assert model.steps == 0


@pytest.mark.parametrize("options", [{"gent": "off"}, {"gent": "prior"}, {"gent": "prior", "prior": "estimated"}])
def test_marginal_options_change_the_result(options: dict[str, str]) -> None:
    model, view = model_and_view()
    model.prior.copy_(torch.tensor([0.9, 0.1]))
    plain = Shot(Shot.Config(lr=1e-2, epochs=4)).adapt(model, view, None, 0)
    other = Shot(Shot.Config(lr=1e-2, epochs=4, **options)).adapt(model, view, None, 0)
    assert not torch.equal(plain.bottleneck[0].weight, other.bottleneck[0].weight)
