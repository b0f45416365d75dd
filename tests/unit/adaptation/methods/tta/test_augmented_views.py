"""CoTTA and MEMO, which compare predictions over augmented versions of a batch."""

from __future__ import annotations

import math

import pytest
import torch

from waver.adaptation.base import SourceModel, predict
from waver.adaptation.fusion.windows import Windows
from waver.adaptation.methods.tta.cotta import Cotta
from waver.adaptation.methods.tta.memo import Memo, marginal_entropy
from waver.adaptation.methods.tta.norms import by_batch, entropy
from waver.adaptation.methods.tta.views import ViewsConfig, augmented

FRAMES = torch.randn(48, 8, generator=torch.Generator().manual_seed(0)) * 2 + 1
PLAIN = {"views": 2, "input_dropout": 0.0, "noise": 0.0}


@pytest.fixture
def model() -> SourceModel:
    torch.manual_seed(0)
    found = SourceModel(8).train()
    found(torch.randn(500, 8))
    return found.eval()


def drawn(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_version_lacks_dimensions_in_all_frames_and_leaves_zeros() -> None:
    frames = FRAMES.clone()
    frames[5] = 0
    strong = ViewsConfig(input_dropout=0.5, noise=0.1)
    version = augmented(frames, strong, drawn())
    lost = (version == 0).all(dim=0)
    assert 0 < lost.sum() < 8
    assert not version[5].any()
    rest = version[:5, ~lost] / 2 - frames[:5, ~lost]
    assert 0.05 < rest.std() < 0.2
    assert torch.equal(augmented(frames, ViewsConfig(**PLAIN), drawn()), frames)
    mask = torch.ones(1, 48, dtype=torch.bool)
    windows = augmented(Windows(frames[None], mask, mask), strong, drawn())
    assert torch.equal(windows.features[0], version)


def test_marginal_entropy_is_that_of_the_mean_prediction() -> None:
    sure = torch.tensor([[math.log(0.9), math.log(0.1)]])
    opposite = sure.flip(1)
    assert marginal_entropy(torch.stack([sure, opposite])).item() == pytest.approx(math.log(2))
    assert torch.allclose(marginal_entropy(torch.stack([sure, sure])), entropy(sure))


def test_memo_without_a_step_is_the_source_and_its_steps_are_forgotten(model: SourceModel) -> None:
    still = Memo(Memo.Config(**PLAIN, steps=0, source_frames=1e9)).begin(model, None, 0)
    assert torch.allclose(still.predict(FRAMES), predict(model, FRAMES), atol=1e-4)
    stream = Memo(Memo.Config(**PLAIN, lr=0.1)).begin(model, None, 0)
    first = stream.predict(FRAMES)
    stream.predict(FRAMES * 3 + 5)
    assert torch.equal(stream.predict(FRAMES), first)
    assert stream.steps == 3
    before = by_batch(model, 1024)(FRAMES).detach()
    assert entropy(first).mean() < entropy(before).mean()


def test_cotta_predicts_by_its_teacher_before_it_learns(model: SourceModel) -> None:
    stream = Cotta(Cotta.Config(certain=0.0)).begin(model, None, 0)
    expected = by_batch(model, 0)(FRAMES).detach()
    assert torch.equal(stream.predict(FRAMES), expected)
    # the teacher moves by a thousandth of the student's way
    assert 0 < (stream.predict(FRAMES) - expected).abs().max() < 1e-3


def test_the_teacher_of_cotta_follows_as_far_as_it_is_told(model: SourceModel) -> None:
    follows = Cotta(Cotta.Config(certain=0.0, teacher=0.0, restored=0.0)).begin(model, None, 0)
    follows.predict(FRAMES)
    with torch.no_grad():
        learned = follows.student(FRAMES)
    assert torch.allclose(follows.predict(FRAMES), learned, atol=1e-6)
    restored = Cotta(Cotta.Config(certain=0.0, teacher=0.5, restored=1.0)).begin(model, None, 0)
    restored.predict(FRAMES)
    for own, first in zip(restored.student.parameters(), model.parameters(), strict=True):
        assert torch.equal(own, first)


def test_an_unsure_cotta_averages_versions(model: SourceModel) -> None:
    stream = Cotta(Cotta.Config(certain=1.0, views=4)).begin(model, None, 0)
    network, generator = by_batch(model, 0), drawn()
    with torch.no_grad():
        versions = [network(augmented(FRAMES, Cotta.Config(), generator)) for _ in range(4)]
    assert torch.allclose(stream.predict(FRAMES), torch.stack(versions).mean(0), atol=1e-6)
