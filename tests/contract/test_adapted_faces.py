"""Every method that adapts a network of faces keeps its contract, on a tiny backbone and a tiny CLIP."""

from __future__ import annotations

import copy
import dataclasses
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from checkout import ROOT
from tiny_backbone import TinyOfSmallFaces, TinySettings
from tracing.executed import definitions, traced
from vision_language_place import PEOPLE, SMALL, Place, make_place
from waver.adaptation import participants
from waver.adaptation.base import Needs
from waver.adaptation.faces.network import FaceNetwork, load_clip_tower
from waver.adaptation.faces.pictures import PictureReader, face_view, read_face_targets, read_source_pictures
from waver.adaptation.faces.runner import Backbone, FaceFiles, adapt_faces, out_of_scope
from waver.adaptation.methods.tta import cotta, memo
from waver.adaptation.protocol import Guard
from waver.adaptation.runner import adapt_one, build_adapter
from waver.adaptation.vision_language.base import start_of
from waver.adaptation.vision_language.runner import adapt_vision_language
from waver.config.sections import AdaptConfig, AdaptedFaces
from waver.errors import WaverError
from waver.io.tables import PREDICTIONS, read_metadata, read_table
from waver.models.backbones.base import Classified
from waver.models.backbones.checkpoint import Trained, archive
from waver.models.lora import LoraLinear
from waver.models.vision_language.encoder import load_vision_language
from waver.provenance import file_sha256
from waver.records import MethodRecord, load
from waver.registry import ADAPTATIONS, BACKBONES
from waver.workflow.fingerprint import closure, followed

METHODS = [name for name, one in ADAPTATIONS.items() if one.faces and not name.endswith("_val_oracle")]
ONLINE = [name for name in METHODS if load(ADAPTATIONS, name).needs.stream]
QUICK: dict[str, Any] = {name: {"epochs": 1, "lr": 1e-2} for name in ("mmd", "acpl", "shot", "nrc", "oracle")}
QUICK |= {name: {"batch": 8} for name in ONLINE}
QUICK["acpl"] |= {"threshold": 0.5}
QUICK["cotta"] |= {"views": 2, "teacher": 0.5}
QUICK["memo"] |= {"views": 2, "lr": 0.1}
for name in ("sar", "eata"):
    QUICK[name] |= {"entropy_margin": 1.0}
NAME = "tiny_faces"
Row = partial(AdaptedFaces, options=QUICK)
every_method = pytest.mark.parametrize("method", METHODS)


@pytest.fixture(scope="module", autouse=True)
def registered() -> Any:
    BACKBONES[NAME] = MethodRecord("tiny_backbone:TinyOfSmallFaces")
    yield
    del BACKBONES[NAME]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_place(tmp_path_factory.mktemp("faces"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backbone as the stage ``ah`` leaves it."""
    return written(tmp_path_factory.mktemp("backbone"), "ah")


def written(folder: Path, task: Any) -> Path:
    torch.manual_seed(0)
    network = Classified(TinyOfSmallFaces(TinySettings()), 2)
    about = Trained(NAME, task, ("no A/H", "A/H"))
    torch.save(archive(about, network.backbone.config.model_dump(), network.state_dict()), folder / "model.pt")
    record = {"name": "x", "role": "expression_backbone", "set": "trained", "title": "x", "licence": "x"}
    record |= {"folder": str(folder), "files": {"model.pt": file_sha256(folder / "model.pt")}}
    (folder / "asset.json").write_text(json.dumps(record))
    return folder / "asset.json"


def predictions(
    place: Place, model: Path, out: Path, row: AdaptedFaces, method: str, indexes: list[Path] | None = None
) -> dict[tuple[str, int], float]:
    faces = list(place.stores.faces)
    files = FaceFiles(indexes or place.packs, place.pack_folder, faces, model, place.packs, faces)
    backbone, record = Backbone(NAME, {}), {"network": f"x {row.scope}"}
    adapt_faces(files, backbone, row, SMALL, method, "frame_random", Guard(), 0, "test", out, record)
    return {(line["video"], line["frame"]): line["margin"] for line in read_table(out, PREDICTIONS)}


@pytest.fixture(scope="module")
def still(place: Place, model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], float]:
    """Predictions of the backbone as it was."""
    return predictions(place, model, tmp_path_factory.mktemp("still") / "x.parquet", Row(), "source_only")


def test_everything_of_the_registry_can_be_asked_for() -> None:
    for name, record in ADAPTATIONS.items():
        if record.source:
            assert load(ADAPTATIONS, name).needs.source
    assert set(METHODS) >= {"mmd", "acpl", "shot", "nrc", "tent", "eata", "sar", "cotta", "bn_adapt", "memo", "oracle"}


@pytest.mark.slow
@every_method
def test_the_backbone_is_adapted_from_the_pictures_on(
    place: Place, model: Path, still: dict[tuple[str, int], float], tmp_path: Path, method: str
) -> None:
    found = predictions(place, model, tmp_path / "a.parquet", Row(), method)
    about = read_metadata(tmp_path / "a.parquet")
    assert (about["method"], about["network"], about["modalities"]) == (method, "x full", "V")
    assert found.keys() == still.keys()
    assert np.isfinite(list(found.values())).all()
    if method not in ("source_only", "oracle"):  # an oracle may find no epoch better on T_va
        assert found != still
    lines = [json.loads(line) for line in Path(f"{tmp_path / 'a.parquet'}.diagnostics.jsonl").read_text().splitlines()]
    assert len(lines) == PEOPLE["test"]
    torch.manual_seed(12345)  # a method that drew from the global state would show it
    apart = [predictions(place, model, tmp_path / "d.parquet", Row(), method, [index]) for index in place.packs]
    assert apart[0] | apart[1] == found


def one_of(place: Place, model: Path, row: AdaptedFaces) -> tuple[Any, ...]:
    """Network, a participant, the split, and what shows pictures."""
    from waver.adaptation.faces import runner

    network = runner._network(model, Backbone(NAME, {}), row, SMALL)
    target = read_face_targets(place.packs, place.pack_folder, "test")[0]
    split = participants.split_population(target, "frame_random", 0.0)
    reader = PictureReader(place.stores.faces, network.encoder.prepare, network.encoder.side)
    return network, target, split, partial(face_view, pictures=reader)


def changed(before: FaceNetwork, after: FaceNetwork) -> set[str]:
    """Names of parameters and buffers that are not what they were."""
    was = before.state_dict()
    return {name for name, value in after.state_dict().items() if not torch.equal(value, was[name])}


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["head", "lora", "full"])
def test_a_scope_changes_its_parameters_and_no_others(place: Place, scope: Any) -> None:
    row = Row(network="clip", scope=scope, rank=2)
    network, target, split, view_of = one_of(place, place.model, row)
    was = copy.deepcopy(network)
    for method in ("nrc", "shot"):
        adapter = build_adapter(method, {**QUICK[method], "lr": 0.5})
        assert not out_of_scope(adapter.needs, network)
        adapted = adapter.adapt(network, view_of(adapter.needs, target, split), None, 0)
        found = changed(network, adapted)
        heads = {"encoder.encoder.clip.visual_projection.weight", "classes.weight"}
        kept = {"classes.weight"} if method == "shot" else set()
        assert heads - kept <= found
        inner = found - heads
        if scope == "full":
            assert {name for name in inner if "layers.0" in name}
        else:
            assert all(".down." in name or ".up." in name for name in inner)
            assert bool(inner) == (scope == "lora")
        assert not found & kept
    assert changed(was, network) == set()
    layers = [part for part in network.modules() if isinstance(part, LoraLinear)]
    assert len(layers) == (2 * 2 if scope == "lora" else 0)


@pytest.mark.parametrize(("method", "module"), [("cotta", cotta), ("memo", memo)], ids=["cotta", "memo"])
def test_online_methods_leave_what_the_scope_leaves(
    place: Place, monkeypatch: pytest.MonkeyPatch, method: str, module: Any
) -> None:
    network, target, split, view_of = one_of(place, place.model, Row(network="clip", scope="head"))
    copies, by_batch = [], module.by_batch
    monkeypatch.setattr(module, "by_batch", lambda *given: copies.append(by_batch(*given)) or copies[-1])
    adapter = build_adapter(method, QUICK[method])
    stream = adapter.begin(network, None, 0)
    _, frames = next(view_of(adapter.needs, target, split).stream(8))
    stream.predict(frames)
    # the last copy is the one that learns
    assert changed(network, copies[-1]) == {"encoder.encoder.clip.visual_projection.weight", "classes.weight"}


def test_clip_that_is_not_adapted_is_clip_zero_shot(place: Place, tmp_path: Path) -> None:
    found = predictions(place, place.model, tmp_path / "a.parquet", Row(network="clip"), "source_only")
    out, config = tmp_path / "b.parquet", AdaptConfig(vision_language=SMALL)
    adapt_vision_language(
        place.packs, place.pack_folder, place.stores, place.model, None, "clip_zero_shot", "frame_random", Guard(), 0,
        config, out, {},
    )  # fmt: skip
    other = {(line["video"], line["frame"]): line["margin"] for line in read_table(out, PREDICTIONS)}
    # a video without a face: features of zeros there, a black picture here
    without = {video for video, _ in other} - {row["video"] for row in read_faces(place)}
    assert found.keys() == other.keys()
    kept = [key for key in found if key[0] not in without]
    assert np.allclose([found[key] for key in kept], [other[key] for key in kept], atol=1e-3)


def test_sentences_that_its_classes_do_not_need_are_not_read(place: Place) -> None:
    long = SMALL.model_copy(update={"prompts": (("a" * 99,) * 3,) * 2})
    with pytest.raises(WaverError, match="shorten it"):
        start_of(load_vision_language(place.folder / "clip"), long)
    network = load_clip_tower(place.model, long, "head", 1, ())
    assert network.classes.weight.shape == (2, 16)


def read_faces(place: Place) -> list[dict[str, Any]]:
    from waver.io.tables import FEATURE_INDEX

    return read_table(place.stores.faces[0], FEATURE_INDEX)


def test_what_can_do_nothing_says_why(place: Place, model: Path, tmp_path: Path) -> None:
    said = {}
    for method, row in (
        ("bn_adapt", Row(network="clip")),
        ("tent", Row(scope="head")),
        ("shot", Row(scope="head")),
    ):
        out = tmp_path / f"{method}.parquet"
        asset = place.model if row.network == "clip" else model
        assert not predictions(place, asset, out, row, method)
        said[method] = read_metadata(out)["not_applicable"]
    assert said == {
        "bn_adapt": "the network has no batch norm",
        "tent": "the scope head leaves the normalisation layers as they are",
        "shot": "the scope leaves nothing but the last layer, which the method keeps",
    }
    with pytest.raises(WaverError, match="no layer to tune is called qkv or q_proj or v_proj"):
        predictions(place, model, tmp_path / "x.parquet", Row(scope="lora"), "shot")


def test_a_backbone_without_classes_of_ah_is_refused(place: Place, tmp_path: Path) -> None:
    with pytest.raises(WaverError, match=r"holds no classes of A/H.*add ah to backbone\.stages"):
        predictions(place, written(tmp_path, "emotions"), tmp_path / "x.parquet", Row(), "shot")


def test_a_method_sees_its_rows_alone(place: Place, model: Path) -> None:
    network, target, split, view_of = one_of(place, model, Row())
    for needs, rows in ((Needs(), "train"), (Needs(stream=True), "test"), (Needs(target_labels=True), "train")):
        view = view_of(needs, target, split)
        assert len(view.features) == len(split[rows])
        assert view.features.base is None
        assert hasattr(view, "labels") == needs.target_labels
    mirrored = view.mirrored()
    assert np.array_equal(mirrored.features[:, :, ::-1], view.features)
    source = read_source_pictures(place.packs, place.pack_folder, place.stores.faces, network.encoder.prepare, 30)
    assert 0 < len(source.features) <= 30
    assert source.features.shape[1:] == view.features.shape[1:]
    garbage = dataclasses.replace(target, labels=1 - target.labels)
    adapter = build_adapter("shot", QUICK["shot"])
    one, other = (adapt_one(adapter, network, who, split, None, 0, view_of).logits for who in (target, garbage))
    assert np.array_equal(one, other)


@pytest.mark.slow
def test_an_edit_of_what_runs_changes_the_fingerprint(place: Place, tmp_path: Path) -> None:
    row = Row(network="clip", scope="lora")
    traced(lambda: predictions(place, place.model, tmp_path / "a.parquet", row, "acpl"), tmp_path / "trace")
    ran = definitions(tmp_path / "trace")
    found = closure([ADAPTATIONS["acpl"].target], ROOT / "workflow/scripts/adapt_faces.py")
    assert {reference for reference in ran if followed(reference)} - set(found) == set()
    assert len(ran) > 5


def test_clip_of_full_scope_has_no_text_tower(place: Place) -> None:
    network = load_clip_tower(place.model, SMALL, "full", 8, ("q_proj",))
    assert not [name for name, _ in network.named_parameters() if "text_model" in name]
