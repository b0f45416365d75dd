"""Every registered method of personalisation keeps its contract."""

from __future__ import annotations

import copy
import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import BaseModel

from synthetic import write_packs
from waver.adaptation import participants, runner
from waver.adaptation.base import LabelledTargetView, Needs, TargetView
from waver.adaptation.protocol import Guard
from waver.adaptation.source_model import load_sources, read_source_view, train_source
from waver.adaptation.trace import watched as watched_epochs
from waver.config.sections import AdaptConfig
from waver.errors import WaverError
from waver.io.tables import PREDICTIONS, read_table
from waver.records import VisionLanguageRecord, load, method_config
from waver.registry import ADAPTATIONS as ALL

BY_LABELS = [name for name, record in ALL.items() if record.implied.get("select") == "val_oracle"]
ADAPTATIONS = {
    name: record
    for name, record in ALL.items()
    if not isinstance(record, VisionLanguageRecord) and name not in BY_LABELS
}
"""Those that adapt a model of features; tests/contract/test_vision_language.py has the others."""
FEW = {name: {"epochs": 4} for name in ADAPTATIONS if "epochs" in load(ADAPTATIONS, name).Config.model_fields}
CONFIG = AdaptConfig(modalities="VT", source_epochs=2, options=FEW)
every_method = pytest.mark.parametrize("method", ADAPTATIONS)
Place = tuple[list[Path], Path, Path]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("adapters")
    indexes, packs = write_packs(folder, {"train": 4, "val": 2, "test": 2}, questions=2)
    train_source(indexes, packs, 0, CONFIG, folder / "model.pt")
    return indexes, packs, folder / "model.pt"


def predictions(
    place: Place, out: Path, method: str, indexes: list[Path] | None = None
) -> dict[tuple[str, int], float]:
    runner.adapt_targets(
        indexes or place[0],
        place[1],
        place[2],
        method,
        "frame_random",
        Guard(),
        0,
        CONFIG,
        out,
        {},
        source_indexes=place[0],
    )
    rows = read_table(out, PREDICTIONS)
    assert all(np.isfinite(row["margin"]) and 0 <= row["probability"] <= 1 for row in rows)
    return {(row["video"], row["frame"]): row["margin"] for row in rows}


@every_method
def test_builds_from_its_own_frozen_config(method: str) -> None:
    found = load(ADAPTATIONS, method)
    assert isinstance(found.needs, Needs)
    record = ADAPTATIONS[method]
    assert found.needs.target_labels == record.target_labels == (record.sees == "the person's labels")
    assert found.needs.source == ("source" in record.sees)
    assert found.needs.stream == ("arrive" in record.sees)
    assert issubclass(found.Config, BaseModel)
    config = method_config(ADAPTATIONS, method, {})
    assert found.Config.model_config["frozen"]
    assert all(field.description for field in found.Config.model_fields.values())
    assert found(config).config is config
    with pytest.raises(WaverError, match="momentun"):
        method_config(ADAPTATIONS, method, {"momentun": 1})


@pytest.mark.slow
@every_method
def test_same_seed_same_predictions_whatever_ran_before(place: Place, tmp_path: Path, method: str) -> None:
    first = predictions(place, tmp_path / "a.parquet", method)
    assert len({video.split("_")[0] for video, _ in first}) == 2
    for other in {"shot", "mmd", "eata"} - {method}:
        predictions(place, tmp_path / "other.parquet", other)
    # a method that drew from the global state would show it
    torch.manual_seed(12345)
    np.random.seed(12345)
    assert predictions(place, tmp_path / "b.parquet", method) == first


@pytest.mark.slow
@every_method
def test_participants_do_not_depend_on_each_other(place: Place, tmp_path: Path, method: str) -> None:
    together = predictions(place, tmp_path / "a.parquet", method)
    assert predictions(place, tmp_path / "b.parquet", method, place[0][::-1]) == together
    apart = [predictions(place, tmp_path / "c.parquet", method, [index]) for index in place[0]]
    assert all(apart)
    assert apart[0] | apart[1] == together


@pytest.mark.slow
@every_method
def test_sees_only_what_it_needs(place: Place, tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = runner.build_adapter(method, {})
    views: list[TargetView] = []
    sources: list[Any] = []
    make_view = runner.target_view
    for_method = kept_in(views, make_view)
    # the runner's own view of the scored frames, to predict them, has other needs
    monkeypatch.setattr(
        runner, "target_view", lambda needs, *rest: (for_method if needs is adapter.needs else make_view)(needs, *rest)
    )
    if adapter.needs.stream:
        adapter.begin = watched(adapter.begin, lambda model, source, seed: sources.append(source))
    else:
        adapter.adapt = watched(adapter.adapt, lambda model, target, source, seed: sources.append(source))
    monkeypatch.setattr(runner, "build_adapter", lambda name, options: adapter)
    predictions(place, tmp_path / "x.parquet", method)
    assert len(views) == 2
    assert len(sources) >= 2
    for view in views:
        assert type(view) is (LabelledTargetView if adapter.needs.target_labels else TargetView)
        assert hasattr(view, "labels") == adapter.needs.target_labels
    assert all((source is not None) == adapter.needs.source for source in sources)


def watched(function: Callable[..., Any], told: Callable[..., None]) -> Callable[..., Any]:
    """The function, which passes its arguments to another one first."""

    def both(*arguments: Any) -> Any:
        told(*arguments)
        return function(*arguments)

    return both


def kept_in(found: list[Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose results are kept in a list."""

    def keeping(*arguments: Any) -> Any:
        found.append(function(*arguments))
        return found[-1]

    return keeping


@pytest.mark.parametrize("method", BY_LABELS)
def test_labels_choose_the_epoch_and_nothing_else(place: Place, method: str) -> None:
    """The epochs are those of the method; the one with the best accuracy on T_va predicts."""
    source, few = load_sources(place[2])[0], {"epochs": 4, "lr": 0.05}
    target = runner.read_targets(place[0], place[1], [source])[0]
    split = participants.split_population(target, "frame_random", 0.0)
    plain = runner.build_adapter(method.removesuffix("_val_oracle"), few)
    frames = read_source_view(place[0], place[1], source) if plain.needs.source else None
    stream = Needs(stream=True)
    val, test = (runner.target_view(stream, target, {**split, "test": split[part]}) for part in ("val", "test"))
    on_val, on_test = watched_epochs(source.model, val, test)
    view = runner.target_view(plain.needs, target, split)
    plain.adapt(source.model, view, frames, 0)
    source.model.watch = None
    truth = target.labels[split["val"]]
    right = [int((logits.argmax(dim=1).numpy() == truth).sum()) for logits in on_val]
    want = on_test[int(np.argmax(right))].double().numpy()
    found = runner.adapt_one(runner.build_adapter(method, few), source.model, target, split, frames, 0)
    np.testing.assert_array_equal(found.logits, want)
    assert ALL[method].target_labels
    with pytest.raises(WaverError, match="name another model"):
        runner.build_adapter(method.removesuffix("_val_oracle"), {"select": "val_oracle"})


@every_method
def test_labels_change_nothing_but_where_they_are_needed(place: Place, method: str) -> None:
    source = load_sources(place[2])[0]
    adapter = runner.build_adapter(method, FEW.get(method, {}))
    target = runner.read_targets(place[0], place[1], [source])[0]
    split = participants.split_population(target, "frame_random", 0.0)
    frames = read_source_view(place[0], place[1], source) if adapter.needs.source else None
    garbage = np.random.default_rng(0).integers(0, 2, len(target.labels)).astype(np.uint8)
    one, other = (
        runner.adapt_one(adapter, source.model, dataclasses.replace(target, labels=labels), split, frames, 0).logits
        for labels in (target.labels, garbage)
    )
    assert np.array_equal(one, other) != ADAPTATIONS[method].target_labels


@pytest.mark.parametrize("method", [name for name in ADAPTATIONS if load(ADAPTATIONS, name).needs.stream])
def test_the_future_changes_nothing_of_the_past(place: Place, method: str) -> None:
    source = load_sources(place[2])[0]
    adapter = runner.build_adapter(method, {"batch": 16})
    target = runner.read_targets(place[0], place[1], [source])[0]
    split = participants.split_population(target, "frame_random", 0.0)
    frames = read_source_view(place[0], place[1], source) if adapter.needs.source else None
    changed = target.features.copy()
    border = split["test"][len(split["test"]) // 2]
    changed[border:] = np.random.default_rng(0).normal(0, 5, changed[border:].shape)
    one, other = (
        runner.adapt_one(adapter, source.model, dataclasses.replace(target, features=features), split, frames, 0).logits
        for features in (target.features, changed)
    )
    # the batch that the border cuts is predicted as a whole
    past = len(split["test"]) // 2 - 16
    assert past > 0
    assert np.array_equal(one[:past], other[:past])
    assert not np.array_equal(one, other)


@every_method
def test_source_model_and_views_stay_as_they_were(place: Place, method: str) -> None:
    source = load_sources(place[2])[0]
    adapter = runner.build_adapter(method, {})
    target = runner.read_targets(place[0], place[1], [source])[0]
    split = participants.split_population(target, "frame_random", 0.0)
    frames = read_source_view(place[0], place[1], source) if adapter.needs.source else None
    given = copy.deepcopy((source.model.state_dict(), target, frames))
    runner.adapt_one(adapter, source.model, target, split, frames, 0)
    assert all(torch.equal(given[0][name], value) for name, value in source.model.state_dict().items())
    for before, after in zip(given[1:], (target, frames), strict=True):
        for name, value in (vars(before) if before else {}).items():
            assert np.array_equal(value, getattr(after, name))


@every_method
def test_two_frames_are_enough(place: Place, method: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    source = load_sources(place[2])[0]
    adapter = runner.build_adapter(method, {})
    target = runner.read_targets(place[0], place[1], [source])[0]
    split = {"train": np.array([0, 200]), "val": np.array([30]), "test": np.array([60, 61])}
    frames = read_source_view(place[0], place[1], source) if adapter.needs.source else None
    result = runner.adapt_one(adapter, source.model, target, split, frames, 0)
    assert np.isfinite(result.logits).all()
