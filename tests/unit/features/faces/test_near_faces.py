"""Faces that fill the picture, and what a second look costs where there is none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from waver.assets.manifest import installed
from waver.features.faces.detect import FaceDetector
from waver.features.faces.near import NearFaces


@pytest.fixture(scope="module")
def detector(installed_models: Path) -> FaceDetector:
    return FaceDetector(installed(installed_models / "retinaface_mobilenet" / "asset.json"), 0.9, 0.4, 640)


def close_up(
    models: Path, detector: FaceDetector, share: float, width: int, height: int
) -> tuple[np.ndarray, np.ndarray]:
    """A picture whose narrower side is filled by the face, and where the face's landmarks are."""
    picture = cv2.cvtColor(cv2.imread(str(models / "astronaut" / "image.png")), cv2.COLOR_BGR2RGB)
    (face,) = detector.detect([picture])
    (left, top), (right, bottom) = face.box[0].reshape(2, 2)
    scale = share * min(width / (right - left), height / (bottom - top))
    middle = np.array([left + right, top + bottom]) / 2
    shift = np.array([width, height]) / 2 - scale * middle
    place = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    near = cv2.warpAffine(picture, place, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return near, face.landmarks[0] * scale + shift


CLOSE = [(0.95, 640, 480), (0.95, 1280, 1280), (2.4, 640, 640), (2.8, 640, 480)]


@pytest.mark.parametrize(("share", "width", "height"), CLOSE)
def test_a_close_face_is_found_where_it_is(detector, installed_models, share, width, height):
    picture, points = close_up(installed_models, detector, share, width, height)
    (faces,) = NearFaces(detector).detect([picture])
    eyes = np.linalg.norm(points[1] - points[0])
    assert np.abs(faces.landmarks[0] - points).max() < (0.15 if share < 1 else 0.3) * eyes  # cut off, they are guessed
    assert faces.box[0, 2] - faces.box[0, 0] > 0.5 * width


@pytest.mark.parametrize(("share", "width", "height"), CLOSE[-2:])
def test_one_look_does_not_find_all_of_them(detector, installed_models, share, width, height):
    picture, _ = close_up(installed_models, detector, share, width, height)
    assert len(detector.detect([picture])[0].score) == 0


class Counting:
    def __init__(self, detector: FaceDetector) -> None:
        self.detector, self.pictures = detector, 0

    def detect(self, pictures):
        self.pictures += len(pictures)
        return self.detector.detect(pictures)


def test_small_faces_are_left_to_the_first_look_and_looks_are_few(installed_models):
    strict = FaceDetector(installed(installed_models / "retinaface_mobilenet" / "asset.json"), 0.999999, 0.4, 64)
    counting = Counting(strict)
    near = NearFaces(counting)
    empty = np.full((48, 64, 3), 90, np.uint8)
    assert all(not len(near.detect([empty])[0].score) for _ in range(240))
    assert counting.pictures == 240 + 24 + 9
