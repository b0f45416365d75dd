"""Methods that adapt batch norm or templates while frames arrive."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from waver.adaptation.base import SourceModel, SourceView, predict
from waver.adaptation.methods.tta.bn_adapt import BnAdapt
from waver.adaptation.methods.tta.eata import Eata
from waver.adaptation.methods.tta.norms import by_batch, entropy
from waver.adaptation.methods.tta.sar import Sar
from waver.adaptation.methods.tta.t3a import T3a
from waver.adaptation.methods.tta.tent import Tent

FRAMES = torch.randn(64, 8, generator=torch.Generator().manual_seed(0)) * 2 + 1
SOURCE = SourceView(
    np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32), np.zeros(300, np.uint8), np.zeros(300, np.int32)
)


@pytest.fixture
def model() -> SourceModel:
    torch.manual_seed(0)
    found = SourceModel(8).train()
    found(torch.randn(500, 8))
    return found.eval()


def scale_of(stream) -> torch.Tensor:
    return stream.model.bottleneck[1].weight.detach().clone()


@torch.no_grad()
def test_statistics_of_the_batch_are_mixed_with_the_source(model: SourceModel) -> None:
    own = by_batch(model, 0).represent(FRAMES).detach()
    assert torch.allclose(own.mean(0), torch.zeros(256), atol=1e-5)
    assert torch.allclose(own.var(0, unbiased=False), torch.ones(256), atol=1e-3)
    norm = model.bottleneck[1]
    before = model.bottleneck[0](FRAMES)
    mean = (16 * norm.running_mean + 64 * before.mean(0)) / 80
    variance = (16 * norm.running_var + 64 * before.var(0, unbiased=False)) / 80
    expected = functional.batch_norm(before, mean, variance, norm.weight, norm.bias)
    assert torch.allclose(by_batch(model, 16).represent(FRAMES), expected, atol=1e-4)


def test_a_single_frame_is_normalised_by_the_source(model: SourceModel) -> None:
    assert torch.allclose(by_batch(model, 0).represent(FRAMES[:1]), model.bottleneck(FRAMES[:1]), atol=1e-5)


def test_bn_adapt_undoes_a_shift_of_all_frames_and_keeps_nothing(model: SourceModel) -> None:
    stream = BnAdapt(BnAdapt.Config(source_frames=0)).begin(model, None, 0)
    first = stream.predict(FRAMES)
    assert torch.allclose(stream.predict(FRAMES * 3 + 5), first, atol=1e-3)
    assert torch.equal(stream.predict(FRAMES), first)


@pytest.mark.parametrize("share", [1e-3, 0.2, 0.5, 0.9])
def test_entropy_is_that_of_the_definition(share: float) -> None:
    logits = torch.tensor([[math.log(1 - share), math.log(share)]])
    expected = -(share * math.log(share) + (1 - share) * math.log(1 - share))
    assert entropy(logits).item() == pytest.approx(expected, rel=1e-4)


def test_tent_predicts_before_it_learns_and_lowers_the_entropy(model: SourceModel) -> None:
    stream = Tent(Tent.Config()).begin(model, None, 0)
    first = stream.predict(FRAMES)
    assert torch.equal(first, model.head(by_batch(model, 0).represent(FRAMES)))
    for _ in range(20):
        last = stream.predict(FRAMES)
    assert entropy(last).mean() < entropy(first).mean() - 0.005
    assert stream.steps == 21
    head = stream.model.head.weight
    assert torch.equal(head, model.head.weight)


def test_eata_learns_from_reliable_frames_alone(model: SourceModel) -> None:
    unsure = Eata(Eata.Config(entropy_margin=1e-6)).begin(model, SOURCE, 0)
    unsure.predict(FRAMES)
    assert unsure.steps == 0
    sure = Eata(Eata.Config(entropy_margin=1.0)).begin(model, SOURCE, 0)
    before = scale_of(sure)
    sure.predict(FRAMES)
    assert sure.steps == 1
    assert not torch.equal(scale_of(sure), before)


def test_a_heavier_penalty_keeps_eata_nearer_to_the_source(model: SourceModel) -> None:
    moved = {}
    for weight in (0.0, 2000.0):
        stream = Eata(Eata.Config(entropy_margin=1.0, fisher=weight, lr=0.1)).begin(model, SOURCE, 0)
        before = scale_of(stream)
        for _ in range(10):
            stream.predict(FRAMES)
        moved[weight] = (scale_of(stream) - before).norm().item()
    assert moved[2000.0] < 0.9 * moved[0.0]


def test_confident_predictions_of_one_class_are_redundant_to_eata(model: SourceModel) -> None:
    """With two classes .95 and .8 have a cosine of .98: the release's filter leaves nothing."""
    stream = Eata(Eata.Config(entropy_margin=1.0, similarity_margin=0.05)).begin(model, SOURCE, 0)
    for _ in range(5):
        stream.predict(FRAMES)
    assert stream.steps == 1


def test_sar_takes_the_gradient_at_the_worst_point_nearby(model: SourceModel) -> None:
    stream = Sar(Sar.Config(entropy_margin=1.0, rho=0.5, lr=1e-2)).begin(model, None, 0)
    plain = Tent(Tent.Config()).begin(model, None, 0)
    gradient = torch.autograd.grad(entropy(plain.logits(FRAMES)).mean(), plain.affine)
    norm = torch.cat([part.flatten() for part in gradient]).norm()
    with torch.no_grad():
        for parameter, part in zip(plain.affine, gradient, strict=True):
            parameter.add_(0.5 * part / norm)
    worst = torch.autograd.grad(entropy(plain.logits(FRAMES)).mean(), plain.affine)
    before = scale_of(stream)
    stream.predict(FRAMES)
    assert torch.allclose(scale_of(stream), before - 1e-2 * worst[0], atol=1e-7)


def test_sar_begins_anew_where_it_collapses(model: SourceModel) -> None:
    kept = Sar(Sar.Config(entropy_margin=1.0, reset_below=0.0)).begin(model, None, 0)
    anew = Sar(Sar.Config(entropy_margin=1.0, reset_below=1.0)).begin(model, None, 0)
    before = scale_of(kept)
    for stream in (kept, anew):
        stream.predict(FRAMES)
    assert not torch.equal(scale_of(kept), before)
    assert torch.equal(scale_of(anew), before)


def test_t3a_begins_with_the_direction_of_the_head(model: SourceModel) -> None:
    stream = T3a(T3a.Config(supports=1)).begin(model, None, 0)
    # no frame is as certain as a row of the head about itself
    stream._entropy = torch.zeros(2)
    found = stream.predict(FRAMES)
    with torch.no_grad():
        expected = model.bottleneck(FRAMES) @ functional.normalize(model.head.weight, dim=1).T
    assert torch.allclose(found, expected, atol=1e-5)


def test_t3a_follows_the_definition(model: SourceModel) -> None:
    stream = T3a(T3a.Config(supports=5)).begin(model, None, 0)
    found = [stream.predict(batch) for batch in FRAMES.split(16)]
    rows = model.head.weight.detach()
    supports = [(functional.normalize(rows, dim=1)[c], c, entropy(model.head(rows)).tolist()[c]) for c in (0, 1)]
    for number, batch in enumerate(FRAMES.split(16)):
        with torch.no_grad():
            points, logits = model.bottleneck(batch), predict(model, batch)
        for point, logit in zip(points, logits, strict=True):
            supports.append((functional.normalize(point, dim=0), int(logit.argmax()), entropy(logit[None]).item()))
        supports = [
            one
            for label in (0, 1)
            for one in sorted((each for each in supports if each[1] == label), key=lambda each: each[2])[:5]
        ]
        sums = [torch.stack([point for point, owner, _ in supports if owner == label]).sum(0) for label in (0, 1)]
        templates = functional.normalize(torch.stack(sums), dim=1)
        assert torch.allclose(found[number], points @ templates.T, atol=1e-4)


def test_t3a_without_a_bound_keeps_every_frame(model: SourceModel) -> None:
    stream = T3a(T3a.Config(supports=0)).begin(model, None, 0)
    stream.predict(FRAMES)
    stream.predict(FRAMES)
    assert len(stream._points) == 130
