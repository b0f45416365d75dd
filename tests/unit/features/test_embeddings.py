"""Stores of CLIP's features and views of faces."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from tiny_clip import write_clip
from waver.config.sections import VisionLanguageConfig
from waver.features import embeddings
from waver.features.embeddings import extract_embeddings, extract_views, view_seed
from waver.io.shard_job import run_shard
from waver.io.tables import FEATURE_INDEX, VIDEOS, read_table, write_table
from waver.io.zarr_store import read_store
from waver.models.vision_language.encoder import load_vision_language
from waver.models.vision_language.views import views_of

FRAMES = {"1_Q1": 7, "2_Q1": 3}
VIEWS = VisionLanguageConfig(views=6, batch=4)


def clip_record(folder: Path) -> Path:
    """Record of a tiny CLIP, as models_install writes it."""
    write_clip(folder / "clip", side=32, width=64)
    record = {"name": "path.clip", "role": "clip", "set": "path", "title": "clip", "licence": "", "files": {}}
    (folder / "asset.json").write_text(json.dumps({**record, "folder": str(folder / "clip")}))
    return folder / "asset.json"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Faces of two videos, one of test and one of train, and a tiny CLIP."""
    folder = tmp_path_factory.mktemp("embeddings")
    clip_record(folder)

    def faces(row, writer):
        draw = np.random.default_rng(row["frames"])
        writer.images("image", row["frames"], 48, 95)[:] = draw.integers(0, 256, (row["frames"], 48, 48, 3), np.uint8)
        writer.put("valid", np.arange(row["frames"]) > 0)
        return row["frames"], "of test"

    rows = [{"video": v, "participant": v[0], "checksum": v, "frames": n} for v, n in FRAMES.items()]
    run_shard(rows, folder / "faces/stores", folder / "faces/000.parquet", {}, faces)
    plain = {field.name: {"bool": False, "string": ""}.get(str(field.type), 1) for field in VIDEOS}
    splits = {"1_Q1": "test", "2_Q1": "train"}
    table = [{**plain, "video": v, "participant": v[0], "split": s} for v, s in splits.items()]
    write_table(folder / "videos.parquet", table, VIDEOS)
    return folder


def embedded(place, folder, code="code"):
    index, stores = folder / "embeddings/000.parquet", folder / "embeddings/stores"
    extract_embeddings(
        place / "faces/000.parquet", place / "faces/stores", place / "asset.json", stores, index, 4, code
    )
    return read_table(index, FEATURE_INDEX), stores


def seen(place, folder, config=VIEWS, split="test"):
    index, stores = folder / "views/000.parquet", folder / "views/stores"
    extract_views(
        place / "faces/000.parquet", place / "faces/stores", place / "videos.parquet", split, place / "asset.json",
        stores, index, config, "code",
    )  # fmt: skip
    return read_table(index, FEATURE_INDEX), stores


@pytest.fixture(scope="module")
def made(place):
    return embedded(place, place)


@torch.no_grad()
def test_features_before_the_projection_of_every_frame(place, made):
    rows, stores = made
    assert [(row["video"], row["frames"], row["note"]) for row in rows] == [
        ("1_Q1", 7, "CLIP on cpu; of test"),
        ("2_Q1", 3, "CLIP on cpu; of test"),
    ]
    arrays = read_store(stores / "1/1_Q1.zarr")
    assert sorted(arrays) == ["pre", "valid"]
    encoder = load_vision_language(place / "clip")
    faces = torch.from_numpy(read_store(place / "faces/stores/1/1_Q1.zarr", "image")["image"])
    wanted = encoder.see(encoder.resized(faces)).pre.numpy()
    assert np.allclose(arrays["pre"], wanted, atol=1e-5)
    assert arrays["valid"].tolist() == [False] + [True] * 6


def test_what_is_whole_is_kept(place, made, monkeypatch):
    _, stores = made
    before = read_store(stores / "1/1_Q1.zarr")["pre"]
    (stores / "2/2_Q1.zarr").unlink()
    calls, whole = [], embeddings._embeddings_of
    monkeypatch.setattr(
        embeddings, "_embeddings_of", lambda row, *a, **k: calls.append(row["video"]) or whole(row, *a, **k)
    )
    rows, _ = embedded(place, place)
    assert calls == ["2_Q1"]
    assert rows == made[0]
    assert np.array_equal(read_store(stores / "1/1_Q1.zarr")["pre"], before)


def test_views_of_the_participants_who_are_adapted_to(place, made, tmp_path):
    rows, stores = seen(place, tmp_path)
    assert [row["video"] for row in rows] == ["1_Q1"]
    views = read_store(stores / "1/1_Q1.zarr")["views"]
    assert (views.shape, views.dtype) == ((7, 6, 16), np.float16)
    assert np.allclose(np.linalg.norm(views.astype(np.float32), axis=-1), 1, atol=2e-3)
    _, plain = made
    encoder = load_vision_language(place / "clip")
    pre = torch.from_numpy(read_store(plain / "1/1_Q1.zarr")["pre"])
    feature = functional.normalize(pre @ encoder.image_projection.detach(), dim=-1)
    assert np.allclose(views[:, 0], feature, atol=2e-3)
    # how many frames pass at once changes nothing
    _, other = seen(place, tmp_path / "b", VIEWS.model_copy(update={"batch": 64}))
    assert np.allclose(read_store(other / "1/1_Q1.zarr")["views"], views, atol=2e-3)


def test_views_are_mirror_and_crops_and_depend_on_the_seed_alone(place):
    encoder = load_vision_language(place / "clip")
    ramp = torch.arange(48, dtype=torch.uint8)[None, None, :, None].expand(2, 48, 48, 3) * 5
    views = views_of(encoder, ramp, [1, 2], 20, 0.5)
    assert views.shape == (2, 20, 3, 32, 32)
    assert torch.equal(views[:, 0], encoder.resized(ramp))
    assert torch.equal(views[:, 1], views[:, 0].flip(-1))
    assert torch.equal(views_of(encoder, ramp[1:], [2], 20, 0.5)[0], views[1])
    assert not torch.equal(views[0, 2:], views[1, 2:])
    span = (views[..., -1] - views[..., 0]).mean(dim=(-1, -2))[:, 2:]  # how much of the ramp a crop shows, mirrored < 0
    assert 5 < (span < 0).sum() < 31
    # of half the area, at sides of 3 to 4, a crop is at least .61 wide
    assert span.abs().min() > 0.55 * 47 * 5 / 255
    assert span.abs().max() < 1.02 * 47 * 5 / 255
    assert view_seed("1_Q1", 3) != view_seed("1_Q1", 4) != view_seed("2_Q1", 4)
