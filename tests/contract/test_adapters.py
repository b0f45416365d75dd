"""Every registered method of personalisation keeps its contract."""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import BaseModel

from synthetic import write_packs
from waver.adaptation import runner
from waver.adaptation.contracts import LabelledTargetView, Needs, SourceModel, TargetView
from waver.adaptation.protocol import Guard
from waver.adaptation.registry import METHODS
from waver.adaptation.source import load_source, read_source_view, train_source
from waver.config.sections import AdaptConfig
from waver.errors import WaverError
from waver.models.registry import load, method_config
from waver.store.tables import PREDICTIONS, read_table

FEW = {name: {"epochs": 4} for name in METHODS if "epochs" in load(METHODS, name).Config.model_fields}
CONFIG = AdaptConfig(modalities="VT", source_epochs=2, options=FEW)
every_method = pytest.mark.parametrize("method", METHODS)
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
    found = load(METHODS, method)
    assert isinstance(found.needs, Needs)
    assert issubclass(found.Config, BaseModel)
    config = method_config(METHODS, method, {})
    assert found.Config.model_config["frozen"]
    assert all(field.description for field in found.Config.model_fields.values())
    assert found(config).config is config
    with pytest.raises(WaverError, match="momentun"):
        method_config(METHODS, method, {"momentun": 1})


@every_method
def test_same_seed_same_predictions_whatever_ran_before(place: Place, tmp_path: Path, method: str) -> None:
    first = predictions(place, tmp_path / "a.parquet", method)
    assert len({video.split("_")[0] for video, _ in first}) == 2
    for other in METHODS:
        if other != method:
            predictions(place, tmp_path / "other.parquet", other)
    # a method that drew from the global state would show it
    torch.manual_seed(12345)
    np.random.seed(12345)
    assert predictions(place, tmp_path / "b.parquet", method) == first


@every_method
def test_participants_do_not_depend_on_each_other(place: Place, tmp_path: Path, method: str) -> None:
    together = predictions(place, tmp_path / "a.parquet", method)
    assert predictions(place, tmp_path / "b.parquet", method, place[0][::-1]) == together
    apart = [predictions(place, tmp_path / "c.parquet", method, [index]) for index in place[0]]
    assert all(apart)
    assert apart[0] | apart[1] == together


@every_method
def test_sees_only_what_it_needs(place: Place, tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = runner.build_adapter(method, {})
    given: list[tuple[Any, Any]] = []
    original = adapter.adapt

    def watched(model: SourceModel, target: Any, source: Any, seed: int) -> SourceModel:
        given.append((target, source))
        return original(model, target, source, seed)

    adapter.adapt = watched  # type: ignore[method-assign]
    monkeypatch.setattr(runner, "build_adapter", lambda name, options: adapter)
    predictions(place, tmp_path / "x.parquet", method)
    assert len(given) == 2
    for target, source in given:
        assert type(target) is (LabelledTargetView if adapter.needs.target_labels else TargetView)
        assert hasattr(target, "labels") == adapter.needs.target_labels
        assert (source is not None) == adapter.needs.source


@every_method
def test_source_model_and_views_stay_as_they_were(place: Place, method: str) -> None:
    source = load_source(place[2])
    adapter = runner.build_adapter(method, {})
    target = runner.read_targets(place[0], place[1], source)[0]
    view = runner.target_view(adapter.needs, target, runner.split_population(target, "frame_random", 0.0))
    frames = read_source_view(place[0], place[1], source) if adapter.needs.source else None
    before = copy.deepcopy(source.model.state_dict())
    features = view.features.copy()
    adapted = adapter.adapt(source.model, view, frames, 0)
    assert all(torch.equal(before[name], value) for name, value in source.model.state_dict().items())
    assert np.array_equal(features, view.features)
    assert isinstance(adapted, SourceModel)
    assert all(torch.isfinite(value).all() for value in adapted.state_dict().values())


@every_method
def test_two_frames_are_enough(place: Place, method: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    source = load_source(place[2])
    adapter = runner.build_adapter(method, {})
    target = runner.read_targets(place[0], place[1], source)[0]
    split = {"train": np.array([0, 200]), "val": np.array([30]), "test": np.array([60, 61])}
    frames = read_source_view(place[0], place[1], source) if adapter.needs.source else None
    result = runner.adapt_one(adapter, source.model, target, split, frames, 0)
    assert np.isfinite(result.logits).all()
