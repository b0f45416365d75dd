from __future__ import annotations

import numpy as np
import pytest
import torch

from waver.adaptation.base import SourceModel, SourceView, TargetView
from waver.adaptation.methods.uda.acpl import Acpl, confident_labels
from waver.adaptation.methods.uda.mmd import Mmd

LOGITS = torch.tensor([[0.0, 4.0], [0.0, 1.0], [3.0, 0.0], [0.1, 0.0]])


def test_a_frame_is_labelled_where_its_confidence_exceeds_the_threshold() -> None:
    assert confident_labels([LOGITS], 0.95).tolist() == [1, -1, 0, -1]
    assert confident_labels([LOGITS], 0.4).tolist() == [1, 1, 0, 0]
    assert confident_labels([LOGITS], 1.0).tolist() == [-1] * 4
    counts = [int((confident_labels([LOGITS], threshold) >= 0).sum()) for threshold in np.linspace(0.5, 1, 20)]
    assert counts == sorted(counts, reverse=True)


@pytest.fixture(scope="module")
def people() -> tuple[SourceModel, TargetView, SourceView]:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(300, 8)).astype(np.float32)
    source = SourceView(features, (features[:, 0] > 0).astype(np.uint8), np.zeros(300, np.int32))
    moved = (generator.normal(size=(200, 8)) + 0.5).astype(np.float32)
    torch.manual_seed(0)
    return SourceModel(8), TargetView(moved, np.zeros(200, np.int32), np.arange(200, dtype=np.int32)), source


def same(first: SourceModel, second: SourceModel) -> bool:
    return all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())


def test_without_a_confident_frame_it_is_mmd(people) -> None:
    model, target, source = people
    acpl = Acpl(Acpl.Config(threshold=1.0, fall=0.0)).adapt(model, target, source, 0)
    assert same(acpl, Mmd(Mmd.Config()).adapt(model, target, source, 0))


def test_pseudo_labels_of_all_frames_enter_the_loss(people) -> None:
    model, target, source = people
    every = {"threshold": 0.5, "fall": 0.0, "aligned": "all"}
    without = Acpl(Acpl.Config(pseudo=0.0, **every)).adapt(model, target, source, 0)
    assert same(without, Mmd(Mmd.Config()).adapt(model, target, source, 0))
    assert not same(without, Acpl(Acpl.Config(pseudo=1.0, **every)).adapt(model, target, source, 0))


def test_the_set_is_chosen_anew_from_all_frames_as_the_threshold_falls(people, monkeypatch) -> None:
    model, target, source = people
    chosen: list[tuple[int, float]] = []
    monkeypatch.setattr(
        "waver.adaptation.methods.uda.acpl.confident_labels",
        lambda seen, threshold: (chosen.append((len(seen[0]), threshold)), confident_labels(seen, threshold))[1],
    )
    Acpl(Acpl.Config()).adapt(model, target, source, 0)
    assert [count for count, _ in chosen] == [200] * 3
    assert [threshold for _, threshold in chosen] == pytest.approx([0.95, 0.93, 0.91])


def test_few_confident_frames_still_make_whole_batches(people) -> None:
    model, target, source = people
    confidence = torch.softmax(model.eval()(torch.tensor(target.features)), 1).max(1).values.sort().values
    adapted = Acpl(Acpl.Config(threshold=confidence[-4].item(), fall=0.0, refresh=10)).adapt(model, target, source, 0)
    assert adapted.steps - model.steps == 10
