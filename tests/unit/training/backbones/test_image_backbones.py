"""Both stages on files and face stores: what is read, what is kept, what the record says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from waver.assets.manifest import install, installed
from waver.config.backbone import EmotionImages, EmotionsStage, FramesStage
from waver.datasets.emotions.readers import EMOTIONS, PICTURES
from waver.errors import WaverError
from waver.io.tables import FEATURE_INDEX, SEGMENTS, SET_ASIDE, VIDEOS, read_table, write_table
from waver.io.zarr_store import new_store, store_key
from waver.models.backbones.base import FACE
from waver.models.backbones.checkpoint import read_trained
from waver.records import MethodRecord
from waver.registry import BACKBONES
from waver.training.backbones import stage as module
from waver.training.backbones.emotions import train_emotions
from waver.training.backbones.face_frames import FaceTables, contents, face_videos, read_frames
from waver.training.backbones.frames import train_backbone
from waver.training.backbones.stage import Start, initial_network
from waver.training.backbones.tasks import TASKS

pytestmark = pytest.mark.slow

EMOTIONS_RECIPE = {"epochs": 2, "batch": 8, "at_once": 8, "lr": 0.01}
FRAMES = FramesStage(epochs=2, batch=8, at_once=8, lr=0.01)
FRAMES_OF = {"1_Q1": 30, "2_Q1": 24, "3_Q1": 30, "4_Q1": 20}
SPLIT = {"1_Q1": "train", "2_Q1": "train", "3_Q1": "val", "4_Q1": "test"}
POSITIVE = {"1_Q1": (4, 10), "2_Q1": (0, 3), "3_Q1": (20, 40), "4_Q1": (0, 20)}


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setitem(BACKBONES, "tiny", MethodRecord("tiny_backbone:Tiny"))
    monkeypatch.setitem(BACKBONES, "tiny_of_small", MethodRecord("tiny_backbone:TinyOfSmallFaces"))


def start(initial: Path | None = None, memory_bytes: int = 10**9, **changes) -> Start:
    return replace(Start("tiny", {}, initial, 0, memory_bytes, "code"), **changes)


def outputs(folder: Path, *names: str) -> dict[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = {"record": "asset.json", "history": "history.jsonl", "pictures": "p.parquet", "set_aside": "s.parquet"}
    return {name: folder / files[name] for name in ("record", "history", *names)}


# stage 1 --------------------------------------------------------------------------------------------
@pytest.fixture
def emotions(tmp_path) -> EmotionsStage:
    """Plain pictures of one colour a class; one of them cannot be decoded, one is empty."""
    draw = np.random.default_rng(0)
    for number, name in enumerate(EMOTIONS):
        for part, count in (("train", 6), ("val", 2)):
            folder = tmp_path / "pictures" / part / name
            folder.mkdir(parents=True)
            for i in range(count):
                colour = np.full((90, 80, 3), 40 * number, np.uint8) + draw.integers(0, 9, (90, 80, 3), np.uint8)
                cv2.imwrite(str(folder / f"{i}.jpg"), colour)
    (tmp_path / "pictures/train/fear/bad.jpg").write_bytes(b"no picture")
    (tmp_path / "pictures/train/fear/empty.jpg").touch()
    return EmotionsStage(sets=(EmotionImages(path=str(tmp_path / "pictures")),), **EMOTIONS_RECIPE)


def stage_1(folder: Path, config: EmotionsStage, begin: Start) -> dict[str, Path]:
    files = outputs(folder, "pictures", "set_aside")
    train_emotions(config, begin, files)
    return files


def test_emotions_are_learnt_and_recorded_as_a_model(tmp_path, emotions):
    files = stage_1(tmp_path / "out", emotions, start())
    record = installed(files["record"])
    assert (record.role, record.set, record.file().name) == ("expression_backbone", "trained", "model.pt")
    about = read_trained(record.file())
    assert about is not None
    assert (about.backbone, about.task, about.classes) == ("tiny", "emotions", EMOTIONS)
    lines = [json.loads(line) for line in files["history"].read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert set(lines[0]) >= {"val_F1", "val_accuracy", "val_loss", "train_loss", "data_wait_s"}
    assert lines[0]["pictures"] == 36
    assert len(read_table(files["pictures"], PICTURES)) == 50
    reasons = {Path(row["item"]).name: row["reason"] for row in read_table(files["set_aside"], SET_ASIDE)}
    assert reasons == dict.fromkeys(["bad.jpg", "empty.jpg"], "is no picture that can be decoded")
    assert sorted(path.name for path in files["record"].parent.iterdir()) == [
        "asset.json", "history.jsonl", "model.pt", "p.parquet", "s.parquet", "trained.json", "training.lock",
    ]  # fmt: skip


def test_pictures_mapped_from_a_file_give_the_same_model(tmp_path, emotions):
    kept = installed(stage_1(tmp_path / "memory", emotions, start())["record"])
    mapped = installed(stage_1(tmp_path / "file", emotions, start(memory_bytes=0))["record"])
    assert kept.key == mapped.key


def test_the_key_is_the_content_of_the_weights(tmp_path, emotions):
    first, moved, other = (
        installed(stage_1(tmp_path / name, emotions, begin)["record"])
        for name, begin in (("a", start()), ("b", start(code="other code")), ("c", start(seed=1)))
    )
    assert first.key == moved.key  # another code, the same weights
    assert first.key != other.key


def test_a_missing_class_is_told(tmp_path, emotions):
    for file in (tmp_path / "pictures/train/sadness").iterdir():
        file.unlink()
    with pytest.raises(WaverError, match="train has no picture of sadness"):
        stage_1(tmp_path / "out", emotions, start())


# stage 2 --------------------------------------------------------------------------------------------
@pytest.fixture
def tables(tmp_path) -> FaceTables:
    """Face stores of four people; frames with A/H are lighter, every fifth frame has no face."""
    draw = np.random.default_rng(1)
    stores = tmp_path / "faces/stores"
    for video, count in FRAMES_OF.items():
        low, high = POSITIVE[video]
        with new_store(stores / video[0] / f"{video}.zarr", f"key of {video}") as writer:
            images = draw.integers(0, 120, (count, 64, 64, 3), np.uint8)
            images[low:high] += 100
            writer.images("image", count, 64, 95)[:] = images
            writer.put("valid", np.arange(count) % 5 != 4)
            writer.put("source_frame", np.arange(count, dtype=np.int32))
    names = ("faces", "videos", "segments")
    paths = {name: tmp_path / name / "000.parquet" for name in names}
    none = {field.name: None for field in VIDEOS}
    write_table(paths["videos"], [{**none, **video_row(name)} for name in (*FRAMES_OF, "5_Q1")], VIDEOS)
    write_table(paths["faces"], [face_row(name) for name in FRAMES_OF], FEATURE_INDEX)
    write_table(paths["segments"], [segment_row(name) for name in FRAMES_OF], SEGMENTS)
    return FaceTables(**{name: [path] for name, path in paths.items()}, tolerance=2)


def video_row(name: str) -> dict:
    # one frame less is annotated than was recorded; 5_Q1 has no faces
    frames = FRAMES_OF.get(name, 10)
    return {
        "video": name, "participant": name[0], "split": SPLIT.get(name, "train"), "path": name, "checksum": name,
        "source_frames": frames, "source_fps": 24.0, "duration_s": 1.0, "has_audio": True,
        "annotated_frames": frames - 1,
    }  # fmt: skip


def face_row(name: str) -> dict:
    known = {"video": name, "participant": name[0], "status": "ok", "frames": FRAMES_OF[name], "key": f"key {name}"}
    return {**known, "note": "", "reason": None, "remedy": None}


def segment_row(name: str) -> dict:
    low, high = POSITIVE[name]
    return {"video": name, "segment": 0, "start_frame": low, "end_frame": high, "certainty": None, "cues": None}


def test_frames_have_faces_and_labels_and_nobody_of_test_is_read(tmp_path, tables):
    videos = face_videos(tables)
    assert [(video.video, video.part) for video in videos] == [("1_Q1", "train"), ("2_Q1", "train"), ("3_Q1", "val")]
    parts = read_frames(videos, 1, FACE, tmp_path / "pixels.npy", "k", 10**9)
    assert (len(parts["train"]), len(parts["val"])) == (24 + 20, 24)
    # without frames 4 and 9 in [4, 10); without frame 29, which carries on with label of 28, in [20, 30)
    assert (parts["train"].label.sum(), parts["val"].label.sum()) == (4 + 3, 8)
    light = parts["train"].take(np.arange(44)).mean((1, 2, 3)) > 110
    assert (light == (parts["train"].label == 1)).all()


def test_every_third_frame(tmp_path, tables):
    rows, label = face_videos(tables)[0].frames(3)
    assert rows.tolist() == [0, 3, 6, 12, 15, 18, 21, 27]  # 9 and 24 have no face
    assert label.tolist() == [0, 0, 1, 0, 0, 0, 0, 0]
    whole = read_frames(face_videos(tables), 1, FACE, tmp_path / "a", "k", 10**9)["train"]
    third = read_frames(face_videos(tables), 3, FACE, tmp_path / "b", "k", 10**9)["train"]
    # of all frames with a face these are numbers 0, 3, 5, 10 and 12
    assert np.array_equal(third.take(np.arange(5)), whole.take(np.array([0, 3, 5, 10, 12])))


def test_annotations_of_another_length_are_left_out(tables, caplog):
    rows = read_table(tables.videos[0], VIDEOS)
    rows[0]["annotated_frames"], rows[1]["annotated_frames"] = 20, None
    write_table(tables.videos[0], rows, VIDEOS)
    assert [video.video for video in face_videos(tables)] == ["3_Q1"]
    assert "1_Q1 is left out: its annotation has 20 frames and the video 30" in caplog.text
    assert "2_Q1 is left out: its frames are not annotated" in caplog.text
    assert "5_Q1 is left out: it has no faces" in caplog.text


def test_a_file_of_pixels_is_used_again_by_the_same_job_alone(tmp_path, tables, monkeypatch):
    videos, file = face_videos(tables), tmp_path / "pixels.npy"
    first = read_frames(videos, 1, FACE, file, "k", 0)["train"]
    assert isinstance(first.pixels, np.memmap)
    decoded = []
    monkeypatch.setattr(
        "waver.training.backbones.face_frames.small_face", lambda image, _: decoded.append(1) or image[:1, :1]
    )
    again = read_frames(videos, 1, FACE, file, "k", 0)["train"]
    assert not decoded
    assert np.array_equal(first.take(np.arange(44)), again.take(np.arange(44)))
    read_frames(videos, 1, FACE, file, "another", 0)
    assert len(decoded) == 68


def stage_2(folder: Path, tables: FaceTables, begin: Start, config: FramesStage = FRAMES) -> dict[str, Path]:
    files = outputs(folder)
    train_backbone(tables, config, begin, files)
    return files


def test_frames_are_learnt_from_the_weights_of_emotions(tmp_path, emotions, tables):
    first = stage_1(tmp_path / "one", emotions, start())["record"]
    network, new = initial_network(TASKS["ah"], start(first))
    given = torch.load(installed(first).file(), weights_only=True)["state_dict"]
    assert torch.equal(network.backbone.conv.weight, given["backbone.conv.weight"])
    assert {id(parameter) for parameter in new} == {id(parameter) for parameter in network.head.parameters()}
    files = stage_2(tmp_path / "two", tables, start(first))
    about = read_trained(installed(files["record"]).file())
    assert about is not None
    assert (about.task, about.classes) == ("ah", ("no A/H", "A/H"))
    lines = [json.loads(line) for line in files["history"].read_text().splitlines()]
    assert [line["pictures"] for line in lines] == [14, 14]  # 7 frames with A/H, as many without
    assert set(lines[0]) >= {"val_AP", "val_AP_paper", "val_AVGF1"}


def test_a_reduction_that_is_not_in_the_weights_is_new(tmp_path):
    plain, _ = initial_network(TASKS["ah"], start())
    torch.save(plain.backbone.state_dict(), tmp_path / "w.pt")
    install("path.expression_backbone", tmp_path / "model", {"expression_backbone": str(tmp_path / "w.pt")})
    begin = start(tmp_path / "model/asset.json", options={"size": 5})
    network, new = initial_network(TASKS["ah"], begin)
    assert torch.equal(network.backbone.conv.weight, plain.backbone.conv.weight)
    assert sum(parameter.numel() for parameter in new) == (5 * 2 + 2) + (2 * 8 + 8 * 5 + 5)


def test_nothing_is_trained_again_where_nothing_changed(tmp_path, tables, monkeypatch):
    files = stage_2(tmp_path / "out", tables, start())
    wanted = {name: path.read_bytes() for name, path in files.items()}
    for path in files.values():
        path.unlink()  # as Snakemake does before a job
    model = tmp_path / "out/model.pt"
    written = model.stat().st_mtime_ns
    monkeypatch.setattr(module, "train", None)
    # people of test have new faces and segments; the memory is smaller
    rows = read_table(tables.faces[0], FEATURE_INDEX)
    rows[3]["key"] = "new"
    write_table(tables.faces[0], rows, FEATURE_INDEX)
    stage_2(tmp_path / "out", tables, start(memory_bytes=1))
    assert {name: path.read_bytes() for name, path in files.items()} == wanted
    assert model.stat().st_mtime_ns == written


@pytest.mark.parametrize("what", ["faces", "segments", "recipe", "seed", "code", "options", "weights"])
def test_it_is_trained_again_where_something_changed(tmp_path, tables, monkeypatch, what):
    files = stage_2(tmp_path / "out", tables, start())
    begin, config = start(), FRAMES
    if what == "faces":
        rows = read_table(tables.faces[0], FEATURE_INDEX)
        rows[0]["key"] = "new"
        write_table(tables.faces[0], rows, FEATURE_INDEX)
    elif what == "segments":
        write_table(tables.segments[0], [segment_row("1_Q1")], SEGMENTS)
    elif what == "recipe":
        config = FRAMES.model_copy(update={"lr": 0.02})
    elif what == "options":
        begin = start(options={"dropout": 0.2})
    elif what == "weights":
        (tmp_path / "out/model.pt").write_bytes(b"broken")
    else:
        begin = start(**{what: 5 if what == "seed" else "5"})
    trained = []
    monkeypatch.setattr(module, "_fitted", lambda *_: trained.append(1) or {"sha256": "x", "history": []})
    train_backbone(tables, config, begin, files)
    assert trained == [1]


@pytest.mark.parametrize("memory_bytes", [0, 10**9])
def test_pictures_are_as_large_as_the_backbone_asks_for(tmp_path, emotions, tables, monkeypatch, memory_bytes):
    fit, shapes = module.train, []

    def seen(training, job):
        shapes.append(training.train.pixels.shape[1:])
        return fit(training, job)

    monkeypatch.setattr(module, "train", seen)
    begin = start(backbone="tiny_of_small", memory_bytes=memory_bytes)
    first = stage_1(tmp_path / "one", emotions, begin)["record"]
    stage_2(tmp_path / "two", tables, replace(begin, initial=first))
    assert shapes == [(48, 48, 3)] * 2


def test_contents_do_not_depend_on_the_order_of_shards(tables):
    videos = face_videos(tables)
    assert contents(videos) == contents(videos[::-1])
    assert store_key(videos[0].store) == "key of 1_Q1"
