"""Registered backbones over face stores: frozen, 112 pixels in colour, expressions only where they are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tiny_backbone import Tiny, TinyOfSmallFaces, TinySettings
from waver.assets.manifest import Installed, install, installed
from waver.config.sections import VisualConfig
from waver.errors import WaverError
from waver.features import visual
from waver.features.faces.crops import central_input, small_face
from waver.features.visual import colour_input, extract_visual, load_frozen_backbone
from waver.io.tables import FEATURE_INDEX, read_table, write_table
from waver.io.zarr_store import new_store, read_store, store_attributes
from waver.models.backbones.base import FACE, Classified, FaceSize
from waver.models.backbones.checkpoint import Trained, archive
from waver.models.freeze import freeze
from waver.records import MethodRecord, load, method_config
from waver.registry import BACKBONES

EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
CONFIG = VisualConfig(backbone="tiny", batch=7)


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setitem(BACKBONES, "tiny", MethodRecord("tiny_backbone:Tiny"))
    monkeypatch.setitem(BACKBONES, "tiny_of_small", MethodRecord("tiny_backbone:TinyOfSmallFaces"))


def network(classes: int, size: int = 8) -> Classified:
    torch.manual_seed(3)
    made = Classified(Tiny(TinySettings(size=size)), classes)
    made.backbone.norm.running_mean.uniform_(-0.1, 0.1)
    return made


def given(folder: Path, content: dict) -> Path:
    """The record of a file given by path."""
    folder.mkdir(exist_ok=True)
    torch.save(content, folder / "weights.pt")
    install("path.expression_backbone", folder / "model", {"expression_backbone": str(folder / "weights.pt")})
    return folder / "model/asset.json"


def trained(folder: Path, task: str, classes: tuple[str, ...]) -> Path:
    return given(folder, archive(Trained("tiny", task, classes), {}, network(len(classes)).state_dict()))


@pytest.fixture
def faces(tmp_path) -> np.ndarray:
    """Twenty faces in a store with its index."""
    images = np.random.default_rng(0).integers(0, 256, (20, 64, 64, 3), np.uint8)
    with new_store(tmp_path / "faces/stores/1/1_Q1.zarr", "key") as writer:
        writer.images("image", 20, 64, 95)[:] = images
        writer.put("valid", np.arange(20) > 2)
    row = {"video": "1_Q1", "participant": "1", "status": "ok", "frames": 20, "key": "key", "note": "of test"}
    write_table(tmp_path / "faces/000.parquet", [{**row, "reason": None, "remedy": None}], FEATURE_INDEX)
    return read_store(tmp_path / "faces/stores/1/1_Q1.zarr", "image")["image"]  # as JPEG keeps them


def extract(folder: Path, record: Path, config: VisualConfig = CONFIG) -> tuple[dict[str, np.ndarray], dict, dict]:
    """Arrays and attributes of the store, and the row of the index."""
    index, stores = folder / "visual/000.parquet", folder / "visual/stores"
    extract_visual(folder / "faces/000.parquet", folder / "faces/stores", record, stores, index, config, "code")
    store = stores / "1/1_Q1.zarr"
    return read_store(store), store_attributes(store), read_table(index, FEATURE_INDEX)[0]


def test_features_of_every_frame_in_evaluation_mode(tmp_path, faces):
    plain = network(2).backbone
    arrays, _, row = extract(tmp_path, given(tmp_path / "w", plain.state_dict()))
    assert sorted(arrays) == ["feature", "valid"]
    batch = central_input(torch.from_numpy(np.stack([small_face(face) for face in faces])))
    assert batch.shape == (20, 3, 112, 112)
    with torch.no_grad():
        wanted = plain.eval()(batch).numpy()
    assert np.allclose(arrays["feature"], wanted, atol=1e-6)
    assert arrays["valid"].tolist() == [False] * 3 + [True] * 17
    assert row["note"] == "backbone=tiny on cpu; of test"
    config = CONFIG.model_copy(update={"precision": "bf16"})
    rough, _, again = extract(tmp_path, tmp_path / "w/model/asset.json", config)
    assert (again["key"] != row["key"], rough["feature"].dtype) == (True, np.float32)
    assert 0 < np.abs(rough["feature"] - wanted).mean() < 0.05 * wanted.std()


def test_emotion_classes_give_expressions_and_others_do_not(tmp_path, faces):
    arrays, attributes, _ = extract(tmp_path, trained(tmp_path / "e", "emotions", EMOTIONS))
    assert (arrays["expression"].shape, attributes["expressions"]) == ((20, 6), list(EMOTIONS))
    assert np.allclose(arrays["expression"].sum(1), 1, atol=1e-5)
    own = network(6).eval()
    with torch.no_grad():
        wanted = own(colour_input(faces, FACE)).softmax(1).numpy()
    assert np.allclose(arrays["expression"], wanted, atol=1e-6)
    arrays, attributes, _ = extract(tmp_path, trained(tmp_path / "a", "ah", ("no A/H", "A/H")))
    assert sorted(arrays) == ["feature", "valid"]
    assert "expressions" not in attributes


def test_a_backbone_of_small_faces_is_given_40_of_48_pixels(tmp_path, faces):
    plain = TinyOfSmallFaces(TinySettings())
    config = CONFIG.model_copy(update={"backbone": "tiny_of_small"})
    arrays, _, _ = extract(tmp_path, given(tmp_path / "w", plain.state_dict()), config)
    size = FaceSize(48, 40)
    batch = torch.from_numpy(np.stack([small_face(face, size)[4:44, 4:44] for face in faces])).permute(0, 3, 1, 2)
    with torch.no_grad():
        wanted = plain.eval()(batch / 127.5 - 1).numpy()
    assert np.allclose(arrays["feature"], wanted, atol=1e-6)


def test_other_weights_make_the_stores_anew_and_the_same_do_not(tmp_path, faces):
    first = trained(tmp_path / "a", "ah", ("no A/H", "A/H"))
    keys = [extract(tmp_path, first)[2]["key"] for _ in range(2)]
    changed = network(2)
    with torch.no_grad():
        changed.backbone.conv.bias += 1
    other = given(tmp_path / "b", archive(Trained("tiny", "ah", ("no A/H", "A/H")), {}, changed.state_dict()))
    keys.append(extract(tmp_path, other)[2]["key"])
    assert keys[0] == keys[1] != keys[2]


def test_a_frozen_backbone_keeps_its_statistics_whatever_is_called():
    whole = network(2)
    freeze(whole.backbone)
    before = {name: value.clone() for name, value in whole.backbone.state_dict().items()}
    for _ in range(3):
        whole.train()
        whole.backbone.train()
        whole.backbone.norm.train(True)
        whole(torch.rand(4, 3, 112, 112))
    assert all(torch.equal(before[name], value) for name, value in whole.backbone.state_dict().items())
    assert not any(parameter.requires_grad for parameter in whole.backbone.parameters())
    assert all(parameter.requires_grad for parameter in whole.head.parameters())


@pytest.mark.slow
def test_the_loaded_backbone_is_frozen(tmp_path):
    torch.manual_seed(0)
    real = load(BACKBONES, "resnet18")(method_config(BACKBONES, "resnet18", {}))
    record = installed(given(tmp_path / "w", real.state_dict()))
    frozen = load_frozen_backbone(VisualConfig(backbone="resnet18"), record)
    faces = np.random.default_rng(0).integers(0, 256, (2, 256, 256, 3), np.uint8)
    feature, expression = frozen(faces)
    assert (feature.shape, expression) == ((2, 512), None)
    assert torch.equal(frozen(faces)[0], feature)
    with torch.no_grad():
        assert torch.allclose(real.eval()(colour_input(faces, FACE)), feature, atol=1e-5)


def test_weights_without_the_reduction_are_told_and_can_be_used_without_it(tmp_path):
    record = installed(given(tmp_path / "w", network(2).backbone.state_dict()))
    with pytest.raises(WaverError, match=r"without the layer from 8 to 5 values.*options \{size: 8\}"):
        load_frozen_backbone(CONFIG.model_copy(update={"options": {"size": 5}}), record)
    frozen = load_frozen_backbone(CONFIG.model_copy(update={"options": {"size": 8}}), record)
    assert frozen(np.zeros((3, 64, 64, 3), np.uint8))[0].shape == (3, 8)


def test_weights_of_a_part_are_told(tmp_path, monkeypatch):
    record = installed(given(tmp_path / "w", network(2).backbone.state_dict()))
    monkeypatch.setattr(visual, "load_backbone_weights", lambda backbone, path: ("vit.", "reduction."))  # a stem alone
    with pytest.raises(WaverError, match=r"without vit, reduction; train it \(backbone\.stages\)"):
        load_frozen_backbone(CONFIG, record)


def test_weights_of_another_network_are_told(tmp_path):
    record = installed(given(tmp_path / "w", network(2).backbone.state_dict()))
    with pytest.raises(WaverError, match="does not hold ResNet18"):
        load_frozen_backbone(VisualConfig(backbone="resnet18"), record)


def test_a_folder_of_several_files_is_told():
    files = {"a.pt": "1", "b.pt": "2"}
    record = Installed(name="x", role="r", set="path", title="/w", licence="", folder="/w", files=files)
    with pytest.raises(WaverError, match="/w holds 2 files; give the one with the weights"):
        load_frozen_backbone(CONFIG, record)
