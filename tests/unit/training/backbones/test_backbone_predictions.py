"""A trained backbone predicts frames itself: as its whole network does on the same faces, and as every other model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from waver.align.packs import write_pack
from waver.assets.manifest import install
from waver.config.backbone import FramesStage
from waver.config.sections import VisualConfig
from waver.errors import WaverError
from waver.features.faces.crops import small_face
from waver.features.visual import extract_visual
from waver.io.shard_job import store_path
from waver.io.tables import FEATURE_INDEX, PREDICTIONS, read_metadata, read_table, write_table
from waver.io.zarr_store import new_store, open_store
from waver.models.backbones.base import FACE
from waver.models.backbones.checkpoint import Trained, archive
from waver.records import MethodRecord
from waver.registry import BACKBONES
from waver.training.backbones.image_cache import LabelledImages
from waver.training.backbones.predictions import nearest, predict_frames
from waver.training.backbones.stage import Start, initial_network
from waver.training.backbones.tasks import TASKS
from waver.training.backbones.training import logits_of
from waver.training.checkpoint import save_archive

FRAMES = {"1_Q1": 9, "2_Q1": 7, "3_Q1": 5}
SPLITS = {"1_Q1": "train", "2_Q1": "val", "3_Q1": "test"}
RECORD = {"method": "tiny", "modalities": "V", "seed": 0, "model_set": "embedded", "code": "c", "config": {}}


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setitem(BACKBONES, "tiny", MethodRecord("tiny_backbone:Tiny"))


@pytest.fixture
def network():
    return initial_network(TASKS["ah"], Start("tiny", {}, None, 0, 0, "code"))[0]


def record_of(folder: Path, network, task="ah") -> Path:
    """The network's record, of the format in which a training leaves it."""
    about = Trained("tiny", task, TASKS[task].classes)
    folder.mkdir()
    save_archive(folder / "w.pt", archive(about, network.backbone.config.model_dump(), network.state_dict()))
    install("path.expression_backbone", folder / "model", {"expression_backbone": str(folder / "w.pt")})
    return folder / "model/asset.json"


def index_row(video: str, **more) -> dict:
    known = {"video": video, "participant": video[0], "status": "ok", "frames": FRAMES[video], "key": "k", "note": ""}
    return {**known, "reason": None, "remedy": None, **more}


@pytest.fixture
def faces(tmp_path) -> Path:
    """Index of faces of three people; a frame of the second has none."""
    draw = np.random.default_rng(0)
    index = tmp_path / "faces/000.parquet"
    write_table(index, [index_row(video) for video in FRAMES], FEATURE_INDEX)
    for video, count in FRAMES.items():
        with new_store(store_path(index.with_name("stores"), index_row(video)), "k") as writer:
            writer.images("image", count, 64, 95)[:] = draw.integers(0, 256, (count, 64, 64, 3), np.uint8)
            writer.put("valid", np.array([video != "2_Q1" or frame != 4 for frame in range(count)]))
            writer.put("source_frame", np.arange(count, dtype=np.int32))
    return index


def packed(folder: Path, faces: Path, model: Path) -> tuple[Path, Path]:
    """Pack and its index of the backbone's features, made by the code that makes them in a run."""
    index = folder / "visual/000.parquet"
    stores = index.with_name("stores")
    extract_visual(faces, faces.with_name("stores"), model, stores, index, VisualConfig(backbone="tiny", batch=4), "c")
    videos = []
    for row in read_table(index, FEATURE_INDEX):
        store = open_store(store_path(stores, row))
        count = row["frames"]
        arrays = {"visual": np.asarray(store["feature"][:]), "visual_valid": np.asarray(store["valid"][:])}
        arrays |= {"label": np.zeros(count, np.uint8), "source_frame": np.arange(count, dtype=np.int32)}
        about = {"video": row["video"], "participant": row["participant"], "split": SPLITS[row["video"]]}
        about |= {"question": 1, "label": 0, "duration_s": count / 24, "status": "ok", "frames": count, "words": 0}
        about |= {"positive_frames": 0, "labelled": True, "note": "", "reason": None, "remedy": None}
        videos.append((about, arrays))
    write_pack(folder / "packs/000.zarr", folder / "000.parquet", videos, "key")
    return folder / "000.parquet", folder / "packs"


def test_frames_of_val_and_test_are_those_of_the_whole_network(tmp_path, faces, network):
    model = record_of(tmp_path / "trained", network)
    index, packs = packed(tmp_path / "align", faces, model)
    predict_frames([index], packs, model, tmp_path / "p.parquet", RECORD)
    found = read_table(tmp_path / "p.parquet", PREDICTIONS)
    assert [(row["video"], row["frame"]) for row in found] == [
        (video, frame) for video in ("2_Q1", "3_Q1") for frame in range(FRAMES[video])
    ]
    assert {row["split"] for row in found} == {"val", "test"}
    wanted = []
    for video in ("2_Q1", "3_Q1"):
        images = np.asarray(open_store(store_path(faces.with_name("stores"), index_row(video)))["image"][:])
        small = LabelledImages(np.stack([small_face(image, FACE) for image in images]), np.arange(len(images)),
                               np.zeros(len(images), np.int64))  # fmt: skip
        logits = logits_of(network, small, FramesStage(at_once=3))
        wanted += list(logits[:, 1] - logits[:, 0])
    wanted[4] = wanted[3]  # without a face: as the frame before
    np.testing.assert_allclose([row["margin"] for row in found], wanted, atol=1e-5)
    np.testing.assert_allclose([row["probability"] for row in found], 1 / (1 + np.exp(-np.array(wanted))), atol=1e-5)
    about = read_metadata(tmp_path / "p.parquet")
    assert {name: about[name] for name in ("method", "level", "protocol")} == {
        "method": "tiny", "level": "frame", "protocol": "standard",
    }  # fmt: skip


def test_a_video_without_any_face_says_nothing(tmp_path, faces, network):
    model = record_of(tmp_path / "trained", network)
    index = read_table(faces, FEATURE_INDEX)
    write_table(faces, [row for row in index if row["video"] != "3_Q1"], FEATURE_INDEX)
    with new_store(store_path(faces.with_name("stores"), index_row("2_Q1")), "k") as writer:
        writer.images("image", 7, 64, 95)[:] = 0
        writer.put("valid", np.zeros(7, bool))
    path, packs = packed(tmp_path / "align", faces, model)
    predict_frames([path], packs, model, tmp_path / "p.parquet", RECORD)
    assert [row["probability"] for row in read_table(tmp_path / "p.parquet", PREDICTIONS)] == [0.5] * 7


def test_a_backbone_of_emotions_or_of_another_size_is_told(tmp_path, faces, network):
    model = record_of(tmp_path / "trained", network)
    index, packs = packed(tmp_path / "align", faces, model)
    of_emotions = record_of(tmp_path / "emotions", network, "emotions")
    with pytest.raises(WaverError, match="was not trained on frames with and without A/H; add ah"):
        predict_frames([index], packs, of_emotions, tmp_path / "p.parquet", RECORD)
    wide = initial_network(TASKS["ah"], Start("tiny", {"size": 5}, None, 0, 0, "code"))[0]
    with pytest.raises(WaverError, match=r"makes features of 5 values, and the packs in .* hold 8"):
        predict_frames([index], packs, record_of(tmp_path / "wide", wide), tmp_path / "p.parquet", RECORD)
    assert not (tmp_path / "p.parquet").exists()


def test_the_nearest_frame_with_a_face_stands_in():
    assert nearest(np.array([2, 3, 7]), 9).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
