"""Faces of real and made videos: aligned, followed through gaps, set aside where there is none."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from video_clips import constant_rate, write_clip
from waver.assets.manifest import installed
from waver.config.sections import FacesConfig
from waver.features.faces.align import aligned_face, similarity_to_template
from waver.features.faces.detect import FaceDetector
from waver.features.faces.extract import _FaceStrip, extract_faces
from waver.features.faces.track import Track
from waver.io.tables import FEATURE_INDEX, VIDEOS, read_table, write_table
from waver.io.zarr_store import new_store, read_store

TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)


@pytest.fixture(scope="module")
def portrait(installed_models: Path) -> np.ndarray:
    picture = cv2.cvtColor(cv2.imread(str(installed_models / "astronaut" / "image.png")), cv2.COLOR_BGR2RGB)
    return picture[20:260, 110:350]


def run(folder: Path, models: Path, clips: dict[str, Path], config: FacesConfig, code: str = "1") -> list[dict]:
    rows = [
        {
            "video": video,
            "participant": video.split("_")[0],
            "split": "train",
            "question": 1,
            "path": str(path),
            "label": 0,
            "source_frames": 1,
            "source_fps": 24.0,
            "duration_s": 1.0,
            "has_audio": False,
            "annotated_frames": None,
            "language": None,
            "checksum": video,
        }
        for video, path in clips.items()
    ]
    write_table(folder / "videos.parquet", rows, VIDEOS)
    model = models / "retinaface_mobilenet" / "asset.json"
    extract_faces(
        folder / "videos.parquet", Path("/"), model, folder / "stores", folder / "index.parquet", config, code
    )
    return read_table(folder / "index.parquet", FEATURE_INDEX)


def store(folder: Path, video: str) -> dict[str, np.ndarray]:
    return read_store(folder / "stores" / video.split("_")[0] / f"{video}.zarr")


def moving_portrait(path: Path, portrait: np.ndarray, frames: int, hidden: set[int]) -> Path:
    """The portrait drifts 2 pixels a frame to the right; in hidden frames the picture is grey."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.options = {"crf": "12"}
        for number in range(frames):
            picture = np.full((240, 320, 3), 90, np.uint8)
            if number not in hidden:
                picture[:, 2 * number : 2 * number + 240] = portrait
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 24)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def test_similarity_is_the_least_squares_one():
    rng = np.random.default_rng(0)
    points = (TEMPLATE * 3 + rng.normal(0, 4, (6, 5, 2)) + 40).astype(np.float32)
    matrices = similarity_to_template(points, 256)
    target = (TEMPLATE * 256 / 112).astype(np.float32)
    for point, matrix in zip(points, matrices, strict=True):
        x, y, one, zero = point[:, 0], point[:, 1], np.ones(5), np.zeros(5)
        design = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
        a, b, u, v = np.linalg.lstsq(design, np.concatenate([target[:, 0], target[:, 1]]), rcond=None)[0]
        assert np.allclose(matrix, [[a, -b, u], [b, a, v]], atol=1e-4)


def test_a_turned_face_comes_out_upright(installed_models, portrait):
    detector = FaceDetector(installed(installed_models / "retinaface_mobilenet" / "asset.json"), 0.9, 0.4, 640)
    for degrees in (-20, 0, 20):
        turned = cv2.warpAffine(portrait, cv2.getRotationMatrix2D((120, 120), degrees, 0.8), (240, 240))
        (faces,) = detector.detect([turned])
        face = aligned_face(turned, similarity_to_template(faces.landmarks[0], 256), 256)
        (again,) = detector.detect([face])
        left = similarity_to_template(again.landmarks[0], 256)  # what is left to be done: nearly nothing
        assert abs(np.degrees(np.arctan2(left[1, 0], left[0, 0]))) < 4
        assert np.hypot(left[0, 0], left[1, 0]) == pytest.approx(1, abs=0.08)
    outside = aligned_face(portrait, similarity_to_template(faces.landmarks[0] - 100, 256), 256)
    assert (outside[0] == 0).all()  # black where the picture ends


@pytest.mark.slow
def test_gaps_repeat_the_last_face_and_say_so(tmp_path, installed_models, portrait):
    hidden = {0, 1, 2, 3, *range(14, 20)}
    clip = moving_portrait(tmp_path / "a.mp4", portrait, 30, hidden)
    (row,) = run(tmp_path, installed_models, {"1_Q1": clip}, FacesConfig(long_side=320))
    assert (row["status"], row["frames"]) == ("ok", 30)
    assert row["note"] == "decoder=pyav; face in 67% of frames"
    faces = store(tmp_path, "1_Q1")
    assert np.flatnonzero(~faces["valid"]).tolist() == sorted(hidden)
    assert all((faces["image"][i] == faces["image"][4]).all() for i in range(4))
    assert all((faces["image"][i] == faces["image"][13]).all() for i in range(14, 20))
    assert (faces["image"][20] != faces["image"][13]).any()
    assert np.isnan(faces["landmarks"][~faces["valid"]]).all()
    assert (faces["score"][~faces["valid"]] == 0).all()
    drift = np.polyfit(np.flatnonzero(faces["valid"]), faces["landmarks"][faces["valid"], 2, 0], 1)[0]
    assert drift == pytest.approx(2, abs=0.05)
    assert {name: (str(array.dtype), array.shape) for name, array in faces.items()} == {
        "image": ("uint8", (30, 256, 256, 3)),
        "score": ("float32", (30,)),
        "box": ("float32", (30, 4)),
        "landmarks": ("float32", (30, 5, 2)),
        "valid": ("bool", (30,)),
        "source_frame": ("int32", (30,)),
    }


@pytest.mark.slow
def test_every_third_frame_and_interpolation(tmp_path, installed_models, portrait):
    clip = moving_portrait(tmp_path / "a.mp4", portrait, 32, set(range(17, 23)))
    for name, every in (("all", 1), ("third", 3)):
        run(tmp_path / name, installed_models, {"1_Q1": clip}, FacesConfig(long_side=320, every=every))
    each, third = store(tmp_path / "all", "1_Q1"), store(tmp_path / "third", "1_Q1")
    # detected in 0, 3, ..., 15, (18, 21 empty), 24, 27, 30 and the last; nothing is bridged over the gap
    assert np.flatnonzero(~third["valid"]).tolist() == [*range(16, 24)]
    both = each["valid"] & third["valid"]
    distance = np.linalg.norm(each["landmarks"][both] - third["landmarks"][both], axis=-1)
    assert distance.mean() < 0.5  # pixels; the eyes are 44 apart, the face moves 6 between two detections
    assert 0 < distance.max() < 2.5


def test_two_people_are_not_bridged():
    track = Track.empty(np.arange(3) / 24)
    track.box[[0, 2]] = [[0, 0, 10, 10], [50, 0, 60, 10]]
    track.valid[[0, 2]] = True
    track.interpolate(0, 2)
    assert track.valid.tolist() == [True, False, True]
    track.box[2] = [4, 0, 14, 10]
    track.score[[0, 2]] = 0.9, 1.0
    track.interpolate(0, 2)
    assert track.valid.all()
    assert track.box[1].tolist() == [2, 0, 12, 10]
    assert track.score[1] == pytest.approx(0.95)


@pytest.mark.slow
def test_real_videos_and_those_set_aside(tmp_path, installed_models):
    folder = installed_models
    clips = {
        "1_Q1": folder / "single_face" / "clip.mp4",
        "2_Q1": folder / "no_face" / "clip.mp4",
        "3_Q1": tmp_path / "missing.mp4",
        "4_Q1": write_clip(tmp_path / "bars.mp4", constant_rate(24, 5)),
    }
    config = FacesConfig(long_side=320, every=4)
    rows = {row["video"]: row for row in run(tmp_path, installed_models, clips, config)}
    assert {video: row["status"] for video, row in rows.items()} == {
        "1_Q1": "ok",
        "2_Q1": "set_aside",
        "3_Q1": "set_aside",
        "4_Q1": "set_aside",
    }
    assert rows["2_Q1"]["reason"] == "no face was found in any of the 95 frames"
    assert rows["3_Q1"]["reason"] == "the video file does not exist"
    faces = store(tmp_path, "1_Q1")
    assert faces["valid"].all()
    assert faces["score"].min() > 0.95
    assert faces["source_frame"].tolist()[:6] == [0, 1, 2, 4, 5, 6]  # 30 fps on the 24 fps clock

    # a second run makes nothing anew; other code does
    made = (tmp_path / "stores" / "1" / "1_Q1.zarr").stat().st_mtime_ns
    run(tmp_path, installed_models, clips, config)
    assert (tmp_path / "stores" / "1" / "1_Q1.zarr").stat().st_mtime_ns == made
    again = {row["video"]: row for row in run(tmp_path, installed_models, clips, config, code="2")}
    assert again["1_Q1"]["key"] != rows["1_Q1"]["key"]
    assert (tmp_path / "stores" / "1" / "1_Q1.zarr").stat().st_mtime_ns != made


def test_strip_across_shards(tmp_path):
    shown = {3: 10, 479: 80, 480: 150, 700: 220}
    with new_store(tmp_path / "a.zarr", "key") as writer:
        strip = _FaceStrip(writer.images("image", 1000, 32, 95))
        for slot, grey in shown.items():
            strip.show(np.full((32, 32, 3), grey, np.uint8), slot)
        strip.finish()
    grey = read_store(tmp_path / "a.zarr")["image"][:, 16, 16, 0]
    expected = np.repeat([10, 80, 150, 220], [479, 1, 220, 300])
    assert np.abs(grey.astype(int) - expected).max() <= 2
