"""RetinaFace on a real portrait, against the numbers of the package that ships it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from waver.assets.manifest import Installed, installed
from waver.device import driver
from waver.errors import WaverError
from waver.features.faces.detect import Detections, FaceDetector, overlap
from waver.features.faces.track import choose_face


@pytest.fixture(scope="module")
def model(installed_models: Path) -> Installed:
    return installed(installed_models / "retinaface_mobilenet" / "asset.json")


@pytest.fixture(scope="module")
def astronaut(installed_models: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(installed_models / "astronaut" / "image.png")), cv2.COLOR_BGR2RGB)


def test_portrait(model, astronaut):
    (faces,) = FaceDetector(model, 0.9, 0.4, 640).detect([astronaut])
    assert faces.score.tolist() == pytest.approx([0.99946], abs=2e-5)
    x0, y0, x1, y1 = faces.box[0]
    assert (int(x0), int(y0), int(x1 - x0), int(y1 - y0)) == (177, 56, 95, 120)
    known = [(204, 100), (247, 103), (223, 129), (202, 138), (244, 140)]
    assert faces.landmarks[0].astype(int).tolist() == [list(point) for point in known]
    assert (faces.landmarks[0] % 1).any()  # sub-pixel


@pytest.mark.parametrize(("long_side", "share"), [(256, 0.12), (320, 0.07), (400, 0.04)])
def test_a_smaller_input_finds_the_same_face(model, astronaut, long_side, share):
    (small,) = FaceDetector(model, 0.9, 0.4, long_side).detect([astronaut])
    (whole,) = FaceDetector(model, 0.9, 0.4, 640).detect([astronaut])
    assert small.score[0] > 0.99
    eyes = np.linalg.norm(whole.landmarks[0, 1] - whole.landmarks[0, 0])
    distance = np.linalg.norm(small.landmarks[0] - whole.landmarks[0], axis=1)
    assert distance.mean() < share * eyes


def test_odd_sizes_keep_pixels_of_the_source(model, astronaut):
    wide = cv2.copyMakeBorder(astronaut, 37, 90, 150, 301, cv2.BORDER_CONSTANT)
    (faces,) = FaceDetector(model, 0.9, 0.4, 500).detect([wide])
    (whole,) = FaceDetector(model, 0.9, 0.4, 640).detect([astronaut])
    assert len(faces.score) == 1
    assert np.abs(faces.landmarks[0] - whole.landmarks[0] - (150, 37)).max() < 6


def test_a_batch_equals_single_pictures(model, astronaut):
    detector = FaceDetector(model, 0.9, 0.4, 320)
    pictures = [astronaut, astronaut[:, ::-1].copy(), np.zeros_like(astronaut)]
    for alone, together in zip([detector.detect([p])[0] for p in pictures], detector.detect(pictures), strict=True):
        assert np.allclose(alone.landmarks, together.landmarks, atol=1e-2)
        assert len(alone.score) == len(together.score)
    assert len(together.score) == 0


def test_two_faces_are_two_and_doubles_are_dropped(model, astronaut):
    pair = np.concatenate([astronaut[:300, 100:356], astronaut[:300, 355:99:-1]], axis=1)
    (faces,) = FaceDetector(model, 0.9, 0.4, 640).detect([pair])
    assert len(faces.score) == 2
    assert sorted(faces.landmarks[:, 2, 0] < 256) == [False, True]
    (doubled,) = FaceDetector(model, 0.9, 0.999, 640).detect([pair])
    assert len(doubled.score) > 2
    assert (np.diff(doubled.score) <= 0).all()


def test_overlap():
    boxes = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [2, 2, 4, 4], [0.5, 0.5, 1.5, 1.5]], np.float32)
    assert overlap(boxes[0], boxes).tolist() == pytest.approx([1, 1 / 3, 0, 1 / 4])


def test_the_face_before_decides_between_near_ties():
    left, right = [0, 0, 10, 10], [50, 0, 60, 10]
    points = np.zeros((2, 5, 2), np.float32)
    tied = Detections(np.array([0.995, 0.985], np.float32), np.array([left, right], np.float32), points)
    clear = Detections(np.array([0.995, 0.95], np.float32), np.array([left, right], np.float32), points)
    before = np.array([51, 1, 61, 11], np.float32)
    assert choose_face(tied, None) == 0
    assert choose_face(tied, before) == 1
    assert choose_face(clear, before) == 0
    assert choose_face(tied, np.array([200, 0, 210, 10], np.float32)) == 0


def test_a_file_that_is_no_detector(tmp_path, model):
    (tmp_path / "model.onnx").write_bytes(b"not a network")
    (tmp_path / "weights.bin").write_bytes(b"")
    wrong = model.model_copy(update={"folder": str(tmp_path)})
    with pytest.raises(WaverError, match=r"model\.onnx cannot be loaded"):
        FaceDetector(wrong, 0.9, 0.4, 640)
    with pytest.raises(WaverError, match=r"one \.onnx file.* 0;"):
        FaceDetector(wrong.model_copy(update={"files": {"weights.bin": ""}}), 0.9, 0.4, 640)


@pytest.mark.skipif(bool(driver()[0]), reason="this machine has a GPU")
def test_what_it_runs_on_is_what_the_session_says(model, monkeypatch):
    monkeypatch.setenv("WAVER_DEVICE", "cuda")
    with pytest.raises(WaverError, match="onnxruntime cannot use a GPU"):
        FaceDetector(model, 0.9, 0.4, 320)
    monkeypatch.setenv("WAVER_DEVICE", "auto")
    detector = FaceDetector(model, 0.9, 0.4, 320)
    assert (detector.providers, detector.batch) == (["CPUExecutionProvider"], 1)
