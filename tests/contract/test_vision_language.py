"""Every registered method that adapts CLIP keeps its contract."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from checkout import ROOT
from tracing.executed import definitions, traced
from vision_language_place import SMALL, Place, make_place
from waver.adaptation.participants import Person, Target, split_population
from waver.adaptation.protocol import Guard
from waver.adaptation.runner import build_adapter
from waver.adaptation.vision_language import runner
from waver.adaptation.vision_language.base import Start, start_of
from waver.adaptation.vision_language.targets import FrameReader, read_image_targets
from waver.config.sections import AdaptConfig
from waver.errors import WaverError
from waver.features.embeddings import extract_embeddings, extract_views
from waver.io.tables import PREDICTIONS, read_metadata, read_table
from waver.models.vision_language.encoder import load_vision_language
from waver.records import VisionLanguageRecord, load, method_config
from waver.registry import ADAPTATIONS
from waver.workflow.fingerprint import closure, followed

METHODS = {name: record for name, record in ADAPTATIONS.items() if isinstance(record, VisionLanguageRecord)}
QUICK: dict[str, dict[str, Any]] = {
    "t3al": {"steps": 2},
    "tpt": {"batch": 8},
    "tta_cap": {"bootstraps": 2},
    "clip_autt": {"prefix": "a", "chunk": 8, "steps": 1, "epochs": 1},
    "clip_au": {"prefix": "a", "chunk": 8, "epochs": 1},
    "promptalign": {"crops": 3, "share": 0.5, "source_frames": 8, "source_epochs": 1},
}
CONFIG = AdaptConfig(options={name: own for name, own in QUICK.items() if name in METHODS}, vision_language=SMALL)
WHOLE_VIDEO = {name for name in METHODS if not CONFIG.options.get(name, {}).get("batch", 1) or name == "t3al"}
FEW = {"train": np.array([0, 30]), "val": np.array([10]), "test": np.array([20, 21])}
every_method = pytest.mark.parametrize("method", METHODS)


@dataclasses.dataclass(frozen=True)
class Known:
    """What tests share: files, CLIP, targets, and what methods prepared."""

    place: Place
    start: Start
    targets: list[Target]
    fitted: dict[str, Path]
    adapters: dict[str, Any]
    baselines: dict[str, np.ndarray]

    def prepared(self, method: str) -> Any:
        return torch.load(self.fitted[method], weights_only=True) if method in self.fitted else {}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Known:
    place = make_place(tmp_path_factory.mktemp("vision_language"))
    start = start_of(load_vision_language(place.folder / "clip"), SMALL)
    targets = read_image_targets(place.packs, place.pack_folder, place.stores, start.encoder, "test")
    fitted = {name: place.folder / f"{name}.pt" for name, record in METHODS.items() if record.fitted}
    for name, path in fitted.items():
        runner.fit_vision_language(place.packs, place.pack_folder, place.stores, place.model, name, 0, CONFIG, path)
    return Known(place, start, targets, fitted, {}, {})


def logits(known: Known, method: str, target: Target, split: dict[str, np.ndarray] | None = None) -> np.ndarray:
    """Logits of T_te of one participant by a method; it is built once for all tests."""
    adapter = known.adapters.setdefault(method, build_adapter(method, CONFIG.options.get(method, {})))
    split = split or split_population(target, "frame_random", 0.0)
    reader = FrameReader(target, known.place.stores, known.start.encoder, adapter.sees, 0)
    return runner.adapt_one(adapter, known.start, known.prepared(method), target, split, reader, 0).logits


def baseline(known: Known, method: str) -> np.ndarray:
    """Those of the first participant, computed once."""
    if method not in known.baselines:
        known.baselines[method] = logits(known, method, known.targets[0])
    return known.baselines[method]


@every_method
def test_builds_from_its_own_frozen_config(method: str) -> None:
    found, record = load(ADAPTATIONS, method), METHODS[method]
    config = method_config(ADAPTATIONS, method, {})
    assert found.Config.model_config["frozen"]
    assert all(field.description for field in found.Config.model_fields.values())
    adapter = found(config)
    assert adapter.config is config
    assert (adapter.sees.views, adapter.sees.pictures) == (record.views, record.pictures)
    assert hasattr(adapter, "fit") == record.fitted == ("source" in record.sees)
    assert record.resets in (adapter.sees.reset, "frame", "clip", "")
    assert not record.target_labels
    if "views" in found.Config.model_fields:
        assert found(method_config(ADAPTATIONS, method, {"views": True})).sees.views
    with pytest.raises(WaverError, match="momentun"):
        method_config(ADAPTATIONS, method, {"momentun": 1})


@pytest.mark.slow
@pytest.mark.parametrize("method", [name for name in METHODS if hasattr(load(ADAPTATIONS, name), "begin_people")])
def test_participants_at_once_are_participants_one_by_one(known: Known, method: str) -> None:
    adapter = build_adapter(method, {})
    assert adapter.sees.known == "none"
    assert adapter.sees.reset == "participant"
    people, readers = [], []
    for number, target in enumerate(known.targets):
        split = split_population(target, "frame_random", 0.0)
        people.append(Person(target, {**split, "test": split["test"][: 9 + 4 * number]}, 0))
        readers.append(FrameReader(target, known.place.stores, known.start.encoder, adapter.sees, 0))
    together = runner.adapt_together(adapter, known.start, people, readers)
    for person, reader, result in zip(people, readers, together, strict=True):
        alone = runner.adapt_one(adapter, known.start, {}, person.target, person.split, reader, 0)
        np.testing.assert_allclose(result.logits, alone.logits, atol=1e-5)
        for name in ("participant", "split_hash", "steps", "predicted_positive_after", "flips"):
            assert result.diagnostics[name] == alone.diagnostics[name]


@pytest.mark.slow
@every_method
def test_order_of_participants_and_what_ran_before_change_nothing(known: Known, method: str) -> None:
    found = []
    for number, targets in enumerate((known.targets, known.targets[::-1])):
        # a method that drew from the global state would show it
        torch.manual_seed(number)
        np.random.seed(number)
        found.append({target.participant: logits(known, method, target) for target in targets})
    assert len(found[0]) == 2
    assert all(np.array_equal(found[0][name], found[1][name]) for name in found[0])
    assert not np.array_equal(found[0][known.targets[0].participant][:10], found[0][known.targets[1].participant][:10])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["clip_zero_shot", "tda", "tta_cap"])
def test_each_shard_predicts_its_participants(known: Known, tmp_path: Path, method: str) -> None:
    place, found = known.place, []
    for number, indexes in enumerate((place.packs, *([one] for one in place.packs))):
        out = tmp_path / f"{number}.parquet"
        runner.adapt_vision_language(
            indexes, place.pack_folder, place.stores, place.model, known.fitted.get(method), method, "frame_random",
            Guard(), 0, CONFIG, out, {},
        )  # fmt: skip
        rows = read_table(out, PREDICTIONS)
        assert all(np.isfinite(row["margin"]) and 0 <= row["probability"] <= 1 for row in rows)
        found.append({(row["video"], row["frame"]): row["margin"] for row in rows})
        lines = [json.loads(line) for line in Path(f"{out}.diagnostics.jsonl").read_text().splitlines()]
        assert len(lines) == len({row["participant"] for row in rows}) == len(indexes)
        assert sum(line["test_positives"] + line["test_negatives"] for line in lines) == len(rows)
    together = hasattr(load(ADAPTATIONS, method), "begin_people")  # who else is in a job may change the rounding
    assert found[0] == pytest.approx(found[1] | found[2], abs=1e-5 if together else 0, rel=0)
    assert not set(found[1]) & set(found[2])
    metadata = read_metadata(out)
    assert (metadata["method"], metadata["modalities"], metadata["level"]) == (method, "V", "frame")


@pytest.mark.slow
@every_method
def test_labels_change_nothing(known: Known, method: str) -> None:
    target = known.targets[0]
    split = split_population(target, "frame_random", 0.0)
    garbage = np.random.default_rng(0).integers(0, 2, len(target.labels)).astype(np.uint8)
    other = logits(known, method, dataclasses.replace(target, labels=garbage), split)
    assert np.array_equal(baseline(known, method), other)


@pytest.mark.slow
@pytest.mark.parametrize("method", [name for name in METHODS if name not in WHOLE_VIDEO])
def test_the_future_changes_nothing_of_the_past(known: Known, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    target = known.targets[0]
    split = split_population(target, "frame_random", 0.0)
    border = split["test"][len(split["test"]) // 2]
    plain = FrameReader.frames
    before = baseline(known, method)

    def shuffled(reader: FrameReader, rows: np.ndarray) -> Any:
        frames, late = plain(reader, rows), torch.from_numpy(rows >= border)
        changes = {}
        for name in ("pre", "raw", "views", "pictures"):
            value = getattr(frames, name).clone()
            if len(value):
                value[late] = value[late].flip(-1)
            changes[name] = value
        return dataclasses.replace(frames, **changes)

    monkeypatch.setattr(FrameReader, "frames", shuffled)
    after = logits(known, method, target, split)
    adapter = build_adapter(method, CONFIG.options.get(method, {}))
    clip = adapter.batch if METHODS[method].label.startswith("CLIP-AU") else 0
    past = len(split["test"]) // 2 - clip  # the clip that the border cuts is predicted as a whole
    assert past > 0
    assert np.array_equal(before[:past], after[:past])
    assert not np.array_equal(before, after)


@every_method
def test_nothing_given_is_changed(known: Known, method: str) -> None:
    target, start = known.targets[0], known.start
    given = copy.deepcopy((start.encoder.state_dict(), start.template, start.ensemble, target))
    logits(known, method, target)
    assert all(torch.equal(given[0][name], value) for name, value in start.encoder.state_dict().items())
    assert torch.equal(given[1], start.template)
    assert torch.equal(given[2], start.ensemble)
    assert np.array_equal(given[3].features, target.features)


@every_method
def test_two_frames_are_enough(known: Known, method: str) -> None:
    for target in known.targets:
        assert np.isfinite(logits(known, method, target, FEW)).all()


def test_clip_au_is_what_clip_autt_starts_from(known: Known) -> None:
    one, other = known.prepared("clip_au"), known.prepared("clip_autt")
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def job(known: Known, rule: str, method: str, folder: Path) -> Callable[[], object]:
    """What the script of a rule does."""
    place, faces = known.place, known.place.stores.faces[0]
    stores, index, output = faces.with_name("stores"), folder / "index.parquet", folder / "output"
    packs, given = place.pack_folder, (place.stores, place.model)
    if rule == "features_embeddings":
        return lambda: extract_embeddings(faces, stores, place.model, folder / "stores", index, 64, "")
    if rule == "features_views":
        videos = place.folder / "videos.parquet"
        views = (folder / "stores", index, SMALL, "")
        return lambda: extract_views(faces, stores, videos, "test", place.model, *views)
    if rule == "adapt_fit":
        return lambda: runner.fit_vision_language(place.packs, packs, *given, method, 0, CONFIG, output)
    if method != "tda":  # the loop over participants is that of each
        return lambda: logits(known, method, known.targets[0], FEW)
    rest = (method, "frame_random", Guard(), 0, CONFIG, output, {})
    return lambda: runner.adapt_vision_language(place.packs[1:], packs, *given, known.fitted.get(method), *rest)


JOBS = [("features_embeddings", ""), ("features_views", "")]
JOBS += [("adapt_fit", name) for name, record in METHODS.items() if record.fitted and name != "clip_autt"]
JOBS += [("adapt_vision_language", name) for name in METHODS]


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "method"), JOBS)
def test_every_definition_that_a_job_executes_is_in_its_fingerprint(
    known: Known, tmp_path: Path, rule: str, method: str
) -> None:
    """As tests/e2e/test_fingerprints.py does for the rules of its runs, which have no CLIP."""
    traced(job(known, rule, method, tmp_path), tmp_path / "trace")
    found = closure([METHODS[method].target] if method else [], ROOT / f"workflow/scripts/{rule}.py")
    ran = definitions(tmp_path / "trace")
    assert len(ran) > 5
    assert {reference for reference in ran if followed(reference)} - set(found) == set()
