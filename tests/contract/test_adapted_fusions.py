"""Every method that adapts a fusion keeps its contract with every fusion."""

from __future__ import annotations

import copy
import dataclasses
import json
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from checkout import ROOT
from synthetic import write_packs
from tracing.executed import definitions, traced
from waver.adaptation import participants, runner
from waver.adaptation.base import Needs
from waver.adaptation.fusion import runner as fusions
from waver.adaptation.fusion.network import FusionNetwork
from waver.adaptation.fusion.windows import FusionView, LabelledFusionView, Layout, Windows, fusion_view
from waver.adaptation.protocol import Guard
from waver.adaptation.source_model import Source
from waver.io.tables import PREDICTIONS, read_metadata, read_table
from waver.models.base import FusionModel
from waver.records import load, method_config
from waver.registry import ADAPTATIONS, FUSIONS, TEMPORALS
from waver.training.corpus import Normalisation, read_corpus
from waver.training.frames.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from waver.training.frames.predict import margin_of, predict
from waver.workflow.fingerprint import closure, followed

METHODS = [name for name, one in ADAPTATIONS.items() if one.fusions and not name.endswith("_val_oracle")]
ONLINE = [name for name in METHODS if load(ADAPTATIONS, name).needs.stream]
QUICK: dict[str, Any] = {name: {"epochs": 1, "lr": 1e-2} for name in ("shot", "nrc")}
QUICK |= {name: {"batch": 16} for name in ONLINE} | {"oracle": {"epochs": 2}}
QUICK["sar"]["entropy_margin"] = 1.0
QUICK["cotta"] |= {"views": 2, "teacher": 0.5}
QUICK["memo"]["views"] = 2
CHANNELS = {"channels": {name: [6, 6] for name in ("visual", "text")}}
OWN: dict[str, dict[str, Any]] = {
    "lfan": {"heads": 1, "head_size": 4},
    "can": {"size": 6},
    "mt": {"size": 8, "heads": 2, "hidden": 8},
    "jmt": {"size": 8, "heads": 2, "hidden": 8},
    "conflict": {"size": 8, "shared": 4, "heads": 2, "layers": 1},
}
Place = tuple[list[Path], Path, dict[str, Path]]
EVERYTHING = [("can", method) for method in METHODS] + [(fusion, "tent") for fusion in FUSIONS if fusion != "can"]
EVERYTHING += [("conflict", "bn_adapt"), ("conflict", "shot")]
every_fusion = pytest.mark.parametrize("fusion", FUSIONS)
every_method = pytest.mark.parametrize("method", METHODS)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Packs, and fusions with random weights in the files that training writes."""
    folder = tmp_path_factory.mktemp("fusions")
    indexes, packs = write_packs(folder, {"train": 2, "val": 1, "test": 2}, questions=3)
    normalisation = Normalisation.fit(read_corpus(indexes, packs, "VT", ["train"]))
    models = {}
    for name in FUSIONS:
        config = method_config(FUSIONS, name, {**CHANNELS, **OWN[name]})
        torch.manual_seed(0)
        network: FusionModel = load(FUSIONS, name)(normalisation.sizes, config)
        models[name] = folder / f"{name}.pt"
        state, options = network.state_dict(), config.model_dump()
        save_checkpoint(models[name], Checkpoint(name, "VT", options, normalisation, state, window=96, hop=48))
    return indexes, packs, models


def predictions(
    place: Place, out: Path, fusion: str, method: str, protocol: str = "block", indexes: list[Path] | None = None
) -> dict[tuple[str, int], float]:
    fusions.adapt_fusion(
        indexes or place[0],
        place[1],
        place[2][fusion],
        "VT",
        method,
        protocol,
        Guard(0.2),
        0,
        "test",
        QUICK.get(method, {}),
        out,
        {"network": fusion},
    )
    return {(row["video"], row["frame"]): row["margin"] for row in read_table(out, PREDICTIONS)}


def one_of(place: Place, fusion: str, protocol: str = "block") -> tuple[Any, ...]:
    """Network, a participant, the split, and what lays frames out; read once, for nothing changes them."""
    return _read(tuple(place[0]), place[1], place[2][fusion], protocol)


@cache
def _read(indexes: tuple[Path, ...], packs: Path, model: Path, protocol: str) -> tuple[Any, ...]:
    checkpoint, network = fusions.load_fusion(model)
    source = Source(network, "VT", checkpoint.normalisation)
    target = runner.read_targets(indexes, packs, [source])[0]
    split = participants.split_population(target, protocol, 0.2)
    return network, target, split, partial(fusion_view, layout=fusions.layout_of(checkpoint, protocol))


def adapted(method: str, network: FusionNetwork, target: Any, split: Any, view_of: Any) -> np.ndarray:
    adapter = runner.build_adapter(method, QUICK.get(method, {}))
    return runner.adapt_one(adapter, network, target, split, None, 0, view_of).logits


@pytest.mark.parametrize(("fusion", "method"), EVERYTHING)
def test_predicts_the_scored_frames_or_says_why_not(place: Place, tmp_path: Path, fusion: str, method: str) -> None:
    found = predictions(place, tmp_path / "a.parquet", fusion, method, indexes=place[0][:1])
    about = read_metadata(tmp_path / "a.parquet")
    assert (about["method"], about["network"], about["modalities"]) == (method, fusion, "VT")
    if method == "bn_adapt" and fusion == "conflict":
        assert about["not_applicable"] == "the network has no batch norm"
        assert not found
        return
    assert "not_applicable" not in about
    lines = [json.loads(line) for line in Path(tmp_path / "a.parquet.diagnostics.jsonl").read_text().splitlines()]
    assert len(found) == sum(line["test_positives"] + line["test_negatives"] for line in lines) > 30
    assert np.isfinite(list(found.values())).all()
    # an oracle that finds no better epoch keeps the network as it was
    if method not in ("source_only", "oracle"):
        plain = predictions(place, tmp_path / "b.parquet", fusion, "source_only", indexes=place[0][:1])
        assert found.keys() == plain.keys()
        assert found != plain


@pytest.mark.slow
@pytest.mark.parametrize("method", ["t3a", "shot", "cotta", "memo"])
def test_participants_do_not_depend_on_each_other_nor_on_what_ran_before(
    place: Place, tmp_path: Path, method: str
) -> None:
    together = predictions(place, tmp_path / "a.parquet", "can", method)
    torch.manual_seed(12345)
    turned = [predictions(place, tmp_path / "b.parquet", "can", method, indexes=[one]) for one in place[0][::-1]]
    assert all(turned)
    assert turned[0] | turned[1] == together


@pytest.mark.parametrize(("method", "protocol"), [*((one, "block") for one in METHODS), ("shot", "frame_random")])
def test_garbage_labels_change_nothing_but_for_the_oracle(place: Place, method: str, protocol: str) -> None:
    network, target, split, view_of = one_of(place, "lfan", protocol)
    garbage = np.random.default_rng(0).integers(0, 2, len(target.labels)).astype(np.uint8)
    first, second = (
        adapted(method, network, dataclasses.replace(target, labels=labels), split, view_of)
        for labels in (target.labels, garbage)
    )
    assert np.array_equal(first, second) != ADAPTATIONS[method].target_labels


@pytest.mark.slow
@pytest.mark.parametrize("method", ["source_only", "tent", "nrc", "cotta", "oracle"])
def test_frames_of_no_or_another_subset_change_nothing(place: Place, method: str) -> None:
    """No window reaches over the border of a subset, neither to learn nor to predict."""
    network, target, split, view_of = one_of(place, "conflict")
    needs = load(ADAPTATIONS, method).needs
    seen = [split["test"]] + ([] if needs.stream or method == "source_only" else [split["train"]])
    seen += [split["val"]] if needs.target_labels else []
    hidden = np.setdiff1d(np.arange(len(target.labels)), np.concatenate(seen))
    assert len(hidden)
    changed = target.features.copy()
    changed[hidden] = 100.0
    first, second = (
        adapted(method, network, dataclasses.replace(target, features=features), split, view_of)
        for features in (target.features, changed)
    )
    assert np.array_equal(first, second)


@pytest.mark.parametrize("method", ONLINE)
def test_the_future_changes_nothing_of_the_past(place: Place, method: str) -> None:
    """Also not of a fusion that looks ahead: a window ends with the frames that are predicted."""
    network, target, split, view_of = one_of(place, "conflict")
    test = split["test"]
    changed = target.features.copy()
    changed[test[len(test) // 2] :] = np.random.default_rng(0).normal(0, 5, target.features.shape[1])
    first, second = (
        adapted(method, network, dataclasses.replace(target, features=features), split, view_of)
        for features in (target.features, changed)
    )
    # the batch that the border cuts is predicted as a whole
    past = len(test) // 2 - 16
    assert np.array_equal(first[:past], second[:past])
    assert not np.array_equal(first, second)


@every_method
def test_the_trained_fusion_stays_as_it_was(place: Place, method: str) -> None:
    network, target, split, view_of = one_of(place, "can")
    given = copy.deepcopy((network.state_dict(), target))
    adapted(method, network, target, split, view_of)
    assert all(torch.equal(given[0][name], value) for name, value in network.state_dict().items())
    assert all(np.array_equal(value, getattr(target, name)) for name, value in vars(given[1]).items())


@every_method
def test_is_handed_unlabelled_frames_unless_it_is_an_oracle(place: Place, method: str) -> None:
    _, target, split, view_of = one_of(place, "lfan")
    needs = load(ADAPTATIONS, method).needs
    view = view_of(needs, target, split)
    assert type(view) is (LabelledFusionView if needs.target_labels else FusionView)
    assert hasattr(view, "labels") == needs.target_labels == (method == "oracle")
    rows = split["test" if needs.stream else "train"]
    assert np.array_equal(view.features, target.features[rows])
    assert not view.features.flags.writeable
    assert view.features.base is None


@pytest.mark.slow
@pytest.mark.parametrize(("fusion", "method"), [("conflict", "memo"), ("mt", "oracle")])
def test_every_definition_that_a_job_executes_is_in_its_fingerprint(
    place: Place, tmp_path: Path, fusion: str, method: str
) -> None:
    """As tests/e2e/test_fingerprints.py does for the methods of its runs."""
    traced(lambda: predictions(place, tmp_path / "a.parquet", fusion, method), tmp_path / "trace")
    modules = [ADAPTATIONS[method].target, FUSIONS[fusion].target, TEMPORALS["tcn"].target]
    found = closure(modules, ROOT / "workflow/scripts/adapt_fusion.py")
    ran = definitions(tmp_path / "trace")
    assert len(ran) > 20
    assert {reference for reference in ran if followed(reference)} - set(found) == set()


def test_an_unadapted_fusion_that_sees_its_past_only_predicts_what_it_predicts_anyway(
    place: Place, tmp_path: Path
) -> None:
    """Under ``video`` nothing of a scored video is missing: the margins are those of the run's own predictions."""
    checkpoint = dataclasses.replace(load_checkpoint(place[2]["lfan"]), window=240, offset=0.3)
    save_checkpoint(tmp_path / "model.pt", checkpoint)
    moved = (place[0], place[1], {"lfan": tmp_path / "model.pt"})
    found = predictions(moved, tmp_path / "a.parquet", "lfan", "source_only", "video")
    logits = predict(checkpoint, read_corpus(place[0], place[1], "VT", ["test"]))
    assert len({video for video, _ in found}) == 2
    for (video, frame), margin in found.items():
        assert margin == pytest.approx(margin_of(logits[video])[frame], abs=1e-4)


@every_fusion
def test_the_network_judges_as_the_fusion_does(place: Place, fusion: str) -> None:
    """By the features before its last layer, also of windows of different lengths side by side."""
    checkpoint, network = fusions.load_fusion(place[2][fusion])
    features = torch.randn(2, 30, sum(checkpoint.normalisation.sizes.values()))
    mask = torch.arange(30)[None] < torch.tensor([[30], [19]])
    streams = dict(zip(network.sizes, features.split(list(network.sizes.values()), -1), strict=True))
    with torch.no_grad():
        expected = network.model(streams, mask)[mask]
        logits = network(Windows(features, mask, mask))
        rows = network.represent(Windows(features, mask, mask)) @ network.class_rows.T
    margin = (expected[:, 1] - expected[:, 0]).numpy()
    assert np.allclose((logits[:, 1] - logits[:, 0]).numpy(), margin, atol=1e-5)
    # the bias is all that is left
    rest = margin - (rows[:, 1] - rows[:, 0]).numpy()
    assert np.allclose(rest, rest[0], atol=1e-5)


def test_a_view_lays_frames_out_as_documented(place: Place) -> None:
    _, target, _, _ = one_of(place, "lfan")
    length = int((target.video == 0).sum())
    rows = np.array([*range(3, 13), *range(20, 27), *range(length, length + 5)])
    split = {"train": rows, "val": rows[:0], "test": rows}
    apart = fusion_view(Needs(), target, split, Layout(8, 1, joined=False))
    assert apart.start.tolist() == [0, 10, 17, 22]
    assert [len(apart.rows(torch.tensor([number]))) for number in range(4)] == [5, 5, 7, 5]
    joined = fusion_view(Needs(), target, split, Layout(8, 1, joined=True))
    assert joined.start.tolist() == [0, 17, 22]
    thin = fusion_view(Needs(), target, split, Layout(8, 4, joined=False))
    # the middle one of every four frames; what is left at the end is a step of its own
    assert thin.frame.tolist() == [5, 9, 12, 22, 25, 2, 4]
    assert thin.shown.tolist() == [0] * 4 + [1] * 4 + [2] * 2 + [3] * 4 + [4] * 3 + [5] * 4 + [6]
    assert [frames.wanted.sum().item() for _, frames in thin.stream(8)] == [2, 1, 2, 2]


def test_a_window_of_the_stream_ends_with_what_is_predicted_and_goes_back_as_far_as_in_training(place: Place) -> None:
    _, target, _, _ = one_of(place, "lfan")
    rows = np.arange(100)
    view = fusion_view(Needs(stream=True), target, {"test": rows, "train": rows, "val": rows}, Layout(40, 1, False))
    ends = []
    for _, frames in view.stream(25):
        width = frames.features.shape[1]
        assert width <= 40
        assert frames.wanted[0].tolist() == [False] * (width - 25) + [True] * 25
        ends.append(frames.features[0])
    assert [len(end) for end in ends] == [25, 40, 40, 40]
    assert torch.equal(ends[2], torch.tensor(target.features[35:75]))
