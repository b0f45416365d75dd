"""What is recorded while a method adapts, and that it changes nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from shifted import Crowd, target_of
from waver.adaptation.base import Needs, SourceModel
from waver.adaptation.participants import split_population
from waver.adaptation.runner import adapt_one, build_adapter, target_view
from waver.adaptation.trace import Chosen, epochs_trace, labels_trace, own_scores, state, stream_trace


def logits(*margins: float) -> torch.Tensor:
    return torch.tensor([[0.0, margin] for margin in margins])


def test_a_state_is_rate_entropy_and_score() -> None:
    found = state(logits(0.0, -9.0, 9.0, -9.0), np.array([0, 0, 1, 1], np.uint8))
    assert found["positive"] == 0.25
    assert found["entropy"] == pytest.approx(math.log(2) / 4, abs=1e-3)
    assert found["AVGF1"] == pytest.approx((2 / 3 + 4 / 5) / 2, abs=1e-4)
    assert state(logits(1.0), np.array([1], np.uint8))["AVGF1"] is None


def test_a_stream_is_scored_on_the_frames_that_have_arrived() -> None:
    labels = np.repeat(np.array([0, 1], np.uint8), 10)
    before, after = logits(*[-1.0] * 20), logits(*[-1.0] * 10, *[1.0] * 10)
    trace = stream_trace(before, after, labels)
    assert [point["done"] for point in trace] == pytest.approx([number / 10 for number in range(1, 11)])
    assert [point["AVGF1"] for point in trace[:5]] == [None] * 5
    assert (trace[-1]["AVGF1"], trace[-1]["unadapted_AVGF1"]) == (1.0, pytest.approx(1 / 3, abs=1e-4))
    assert [point["positive"] for point in (trace[4], trace[9])] == [0, 0.5]
    assert len(stream_trace(before[:3], after[:3], labels[:3])) == 3


def test_epochs_begin_with_the_network_as_it_was() -> None:
    labels = np.array([0, 1], np.uint8)
    trace = epochs_trace(logits(-1.0, -1.0), [logits(-1.0, 1.0), logits(1.0, 1.0)], labels)
    assert [point["done"] for point in trace] == [0, 0.5, 1]
    assert [point["positive"] for point in trace] == [0, 0.5, 1]
    assert {point["unadapted_positive"] for point in trace} == {0.0}


def test_what_was_chosen_is_told_by_tenths_of_the_stream() -> None:
    chosen = Chosen()
    for size, count in ((1, 1), (3, 2), (36, 5)):
        chosen.add(size, count)
    assert chosen.points() == [{"done": 0.1, "frames": 2}, {"done": 1.0, "frames": 5}]
    still = Chosen()
    still.add(7, None)
    assert still.points() == []


def test_pseudo_labels_are_scored_where_there_are_any() -> None:
    truth = np.array([0, 1, 1, 0], np.uint8)
    view = target_view(Needs(), target_of(*Crowd(5).frames(4, 0.5)), {"train": np.arange(4)})
    actual = [(0, torch.tensor([-1, -1, -1, -1])), (2, torch.tensor([0, 1, 0, -1]))]
    assert labels_trace(actual, 4, view, truth) == [
        {"done": 0.0, "frames": 0, "right": None},
        {"done": 0.5, "frames": 3, "right": 0.6667},
    ]


@pytest.mark.parametrize(("method", "options"), [("shot", {"epochs": 2}), ("sar", {"lr": 0.1}), ("t3a", {})])
def test_the_line_of_a_method_that_chooses_says_what(method: str, options: dict[str, float]) -> None:
    target = target_of(*Crowd(5).frames(600, 0.4))
    torch.manual_seed(0)
    model = SourceModel(target.features.shape[1]).eval()
    split = split_population(target, "frame_random", 0.0)
    result = adapt_one(build_adapter(method, options), model, target, split, None, 0)
    chosen = result.diagnostics["chosen"]
    assert model.note is None
    assert chosen[-1]["done"] == 1.0
    if method == "shot":
        assert len(chosen) == 3
        assert {point["frames"] for point in chosen} == {len(split["train"])}
        assert all(0 < point["right"] < 1 for point in chosen)
    if method == "t3a":
        assert 0 < chosen[-1]["frames"] <= len(split["test"]) + 2


@pytest.mark.parametrize(("method", "epochs"), [("shot", 3), ("oracle", 3), ("tent", None), ("t3a", None)])
def test_the_line_of_a_method_has_its_trace_and_watching_changes_nothing(method: str, epochs: int | None) -> None:
    torch.manual_seed(0)
    people = Crowd(5)
    target = target_of(*people.frames(600, 0.4))
    model = SourceModel(target.features.shape[1]).eval()
    split = split_population(target, "frame_random", 0.0)
    adapter = build_adapter(method, {"epochs": epochs} if epochs else {})
    result = adapt_one(adapter, model, target, split, None, 0)
    line = result.diagnostics
    assert model.watch is None
    flips = (result.logits[:, 1] > result.logits[:, 0]) != before(model, target, split)
    assert line["flips"] == pytest.approx(flips.mean())
    if method == "t3a":
        assert "trace" not in line
        return
    assert len(line["trace"]) == (epochs + 1 if epochs else 10)
    if method != "oracle":  # which may keep another epoch than the last
        assert line["trace"][-1]["positive"] == pytest.approx(line["predicted_positive_after"], abs=1e-4)
    if epochs:
        alone = adapter.adapt(model, target_view(adapter.needs, target, split), None, 0)
        test = torch.from_numpy(target.features[split["test"]])
        with torch.no_grad():
            np.testing.assert_array_equal(alone.eval()(test).double().numpy(), result.logits)


def before(model: SourceModel, target, split) -> np.ndarray:
    with torch.no_grad():
        found = model.eval()(torch.from_numpy(target.features[split["test"]])).numpy()
    return found[:, 1] > found[:, 0]


def test_a_person_has_the_scores_of_the_papers_tables() -> None:
    labels = np.array([0, 0, 1, 1], np.uint8)
    found = own_scores(logits(-math.log(9), -math.log(9), math.log(9), math.log(9)), labels)
    # the papers' average precision of a perfect answer of .9 and .1 is a half
    assert found == {"AVGF1": 1.0, "F1": 1.0, "WF1": 1.0, "AP_paper": 0.5}
    one_of_two = own_scores(logits(-1.0, 1.0, 1.0, -1.0), labels)
    assert (one_of_two["AVGF1"], one_of_two["F1"], one_of_two["WF1"]) == (0.5, 0.5, 0.5)
    assert set(own_scores(logits(1.0), np.array([1], np.uint8)).values()) == {None}
