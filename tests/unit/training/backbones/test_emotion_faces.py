"""Faces of emotion pictures stand where the faces of videos do, whatever layout they come in."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from waver.assets.manifest import installed
from waver.config.backbone import EmotionImages
from waver.config.sections import FacesConfig
from waver.datasets.emotions.pictures import Picture
from waver.datasets.emotions.points import as_points, five_of_68, numbers
from waver.datasets.emotions.readers import read_emotions
from waver.features.faces.align import aligned_face, similarity_to_template
from waver.features.faces.detect import Detections, FaceDetector
from waver.models.backbones.base import FACE
from waver.training.backbones.emotion_faces import FaceSource, face_of
from waver.training.backbones.emotions import _decode_one

TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Of face.evoLVe, in a square of 112."""


@pytest.fixture(scope="module")
def source(installed_models: Path) -> FaceSource:
    return FaceSource(installed_models / "retinaface_mobilenet" / "asset.json", FacesConfig())


@pytest.fixture(scope="module")
def detector(installed_models: Path) -> FaceDetector:
    return FaceDetector(installed(installed_models / "retinaface_mobilenet" / "asset.json"), 0.5, 0.4, 640)


@pytest.fixture(scope="module")
def photograph(installed_models: Path, detector: FaceDetector) -> tuple[np.ndarray, np.ndarray]:
    """A face at the right edge of a wide picture, turned by 25 degrees, in BGR, and its five points."""
    portrait = cv2.imread(str(installed_models / "astronaut" / "image.png"))
    place = cv2.getRotationMatrix2D((224, 110), 25, 0.9)
    place[:, 2] += (230, 60)
    picture = cv2.warpAffine(portrait, place, (560, 300), borderMode=cv2.BORDER_REPLICATE)
    (faces,) = detector.detect([np.ascontiguousarray(picture[..., ::-1])])
    return picture, faces.landmarks[0]


def of_68(points: np.ndarray) -> list[float]:
    """A list of 68 points with these eyes, nose and corners of the mouth."""
    every = np.tile(points.mean(0), (68, 1))
    for first, eye in ((36, 0), (42, 1)):
        every[first : first + 6] = points[eye] + [[-3, 0], [-1, -2], [1, -2], [3, 0], [1, 2], [-1, 2]]
    every[30], every[48], every[54] = points[2], points[3], points[4]
    return every.reshape(-1).tolist()


def write(file: Path, picture: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), picture)


def make(layout: str, root: Path, picture: np.ndarray, points: np.ndarray, given: bool) -> None:
    """The picture in a layout, with what the data set gives of its face."""
    if layout == "folders":
        write(root / "train/fear/a.png", picture)
    elif layout == "raf_db":
        write(root / "Image/original/train_1.png", picture)
        (root / "list_patition_label.txt").write_text("train_1.png 2\n")
        if given:
            file = root / "Annotation/manual/train_1_manu_attri.txt"
            file.parent.mkdir(parents=True)
            # whose left is which is not said; sex, race and age follow
            lines = [f"{x:.3f}\t{y:.3f}" for x, y in points[[1, 0, 2, 4, 3]]]
            file.write_text("\n".join([*lines, "0", "2", "3"]))
    elif layout == "affectnet":
        write(root / "Manually_Annotated_Images/1/a.png", picture)
        low, size = points.min(0) - 30, np.ptp(points, axis=0) + 60
        box = ",".join(str(int(value)) for value in (*low, *size))
        message = ";".join(f"{value:.2f}" for value in of_68(points)) if given else "NULL"
        (root / "training.csv").write_text(f"1/a.png,{box},{message},4,0.1,0.2\n")
    else:
        write(root / "cropped_aligned/v/00001.png", picture)
        (root / "cropped_aligned/v/00001.png").rename(root / "cropped_aligned/v/00001.jpg")
        (root / "Train_Set").mkdir()
        (root / "Train_Set/v.txt").write_text("Neutral,Anger\n3\n")


LAYOUTS = [("folders", False), ("raf_db", False), ("raf_db", True), ("affectnet", False), ("affectnet", True)]


@pytest.mark.slow
@pytest.mark.parametrize(("layout", "given"), [*LAYOUTS, ("aff_wild2", False)])
def test_a_face_stands_where_those_of_videos_do(tmp_path, source, detector, photograph, layout, given):
    make(layout, tmp_path, *photograph, given)
    ((picture,), _) = read_emotions([EmotionImages(layout=layout, path=str(tmp_path))])
    place = np.zeros((FACE.side, FACE.side, 3), np.uint8)
    reason, actual = _decode_one(picture, place, FACE, source.load())
    assert (reason, actual) == ("", f"aligned by {'given' if given else 'detected'} points")
    (faces,) = detector.detect([cv2.resize(place, (256, 256))])
    due = photograph[1] @ (matrix := similarity_to_template(photograph[1], 256))[:, :2].T + matrix[:, 2]
    assert (
        np.linalg.norm(faces.landmarks[0] - due, axis=1).max() < 12
    )  # of 256 pixels: of a turned face the detector is so sure
    assert np.linalg.norm(due * 112 / 256 - TEMPLATE, axis=1)[:3].max() < 8  # a smile has wider corners
    # the middle of the picture has no face
    assert len(detector.detect([cv2.resize(photograph[0][:, 130:430, ::-1], (256, 256))])[0].score) == 0


def test_its_authors_alignment_is_used(tmp_path, source, photograph):
    picture, points = photograph
    make("raf_db", tmp_path, picture, points, True)
    write(tmp_path / "Image/aligned/train_1_aligned.png", picture[:100, :100])
    ((own,), _) = read_emotions([EmotionImages(layout="raf_db", path=str(tmp_path))])
    pixels = np.ascontiguousarray(picture[:100, :100, ::-1])
    face, actual = source.load()(pixels, own)
    assert actual == "as they are"
    assert face is pixels


def test_the_config_may_ask_for_detection_or_for_none(tmp_path, source, photograph):
    picture, points = photograph
    make("affectnet", tmp_path, picture, points, True)
    face = source.load()
    actual = {}
    for requested in ("given", "detected", "whole"):
        ((own,), _) = read_emotions([EmotionImages(layout="affectnet", path=str(tmp_path), faces=requested)])
        actual[requested] = face(np.ascontiguousarray(picture[..., ::-1]), own)[1]
    assert actual == {
        "given": "aligned by given points", "detected": "aligned by detected points", "whole": "as they are",
    }  # fmt: skip


class Two:
    """A detector that sees two faces, the second one smaller."""

    def detect(self, pictures):
        large = TEMPLATE * 1.5
        small = TEMPLATE * 0.5 + [200, 20]
        points = np.stack([large, small]).astype(np.float32)
        box = np.concatenate([points.min(1) - 5, points.max(1) + 5], axis=1)
        return [Detections(np.array([0.9, 0.95], np.float32), box, points) for _ in pictures]


def test_a_box_says_which_face_and_where_one_is_not_found():
    pixels = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)
    boxes = {None: 1.5, (0, 0, 160, 160): 1.5, (210, 40, 250, 80): 0.5}
    for box, scale in boxes.items():
        points = TEMPLATE * scale + ([200, 20] if scale < 1 else [0, 0])
        face, actual = face_of(pixels, Picture("a", 0, "train", box=box), Two(), 112)
        assert actual == "aligned by detected points"
        due = aligned_face(pixels, similarity_to_template(points.astype(np.float32), 112), 112)
        assert np.array_equal(face, due)
    part, actual = face_of(pixels, Picture("a", 0, "train", box=(180, 150, 200, 190)), Two(), 112)
    assert actual == "cut to the given box, without a face that is found"
    assert np.array_equal(part, pixels[150:190, 170:210])


@pytest.mark.parametrize(
    "hostile", ["", "NULL", "1;2", ";".join(["nan"] * 136), ";".join(["9" * 400] * 136), ";".join(["5"] * 136)]
)
def test_what_is_no_list_of_points_is_none(hostile):
    assert five_of_68(numbers(hostile)) is None


def test_points_of_a_face_upside_down_keep_their_sides():
    upright = as_points(TEMPLATE.reshape(-1).tolist())
    assert np.allclose(upright, TEMPLATE)
    assert np.allclose(as_points(TEMPLATE[[1, 0, 2, 4, 3]].reshape(-1).tolist()), TEMPLATE)
    turned = 112 - TEMPLATE
    assert np.allclose(as_points(turned.reshape(-1).tolist()), turned)


def test_points_beside_the_picture_are_not_used(tmp_path, source, photograph):
    picture, points = photograph
    make("affectnet", tmp_path, picture, points + 2000, True)
    ((own,), _) = read_emotions([EmotionImages(layout="affectnet", path=str(tmp_path))])
    _, actual = source.load()(np.full_like(picture, 90), own)
    assert actual.endswith("without a face that is found")


def test_a_picture_without_end_is_not_decoded(tmp_path):
    """600 bytes whose head says 900 million pixels, and a pipe that nobody writes into."""
    Image.new("RGB", (16, 16)).save(tmp_path / "large.jpg")
    content = bytearray((tmp_path / "large.jpg").read_bytes())
    head = content.find(b"\xff\xc0") + 5
    content[head : head + 4] = struct.pack(">HH", 30_000, 30_000)
    (tmp_path / "large.jpg").write_bytes(content)
    os.mkfifo(tmp_path / "pipe.jpg")
    for name in ("large.jpg", "pipe.jpg"):
        place = np.zeros((FACE.side, FACE.side, 3), np.uint8)
        picture = Picture(str(tmp_path / name), 0, "train")
        assert _decode_one(picture, place, FACE, None) == ("is no picture that can be decoded", "")
