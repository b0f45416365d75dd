"""InsightFace's detectors and embeddings, in its file format with random weights, through its own classes."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import onnxruntime
import pytest

from checkout import ROOT
from insightface_files import STRIDES, write_detector, write_embedding
from sounding_clips import write_videos
from waver.assets.manifest import Installed
from waver.config.sections import FacesConfig
from waver.errors import WaverError
from waver.features.faces.detect import Detections, FaceDetector
from waver.features.faces.detectors import load_detector
from waver.features.faces.extract import extract_faces
from waver.features.faces.identity import Looks, Sightings
from waver.features.faces.insightface_pack import PackDetector, embedding_looks
from waver.io.tables import FEATURE_INDEX, read_table
from waver.io.zarr_store import read_store

THRESHOLD, NMS = 0.9, 0.4
POINTS = np.array([[40, 50], [75, 48], [58, 70], [45, 92], [72, 90]], np.float32)


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> Installed:
    return write_detector(tmp_path_factory.mktemp("pack") / "det_10g.onnx")


@pytest.fixture(scope="module")
def arcface(tmp_path_factory) -> Installed:
    return write_embedding(tmp_path_factory.mktemp("arcface") / "w600k_r50.onnx")


def picture(width: int, height: int, seed: int = 0) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def theirs(model: Installed, shown: np.ndarray, size: tuple[int, int] | None) -> Detections:
    """Faces of an RGB picture by InsightFace alone, routed by the file's outputs."""
    from insightface.model_zoo import get_model

    detector = get_model(str(model.file()), providers=["CPUExecutionProvider"])
    detector.prepare(-1, nms_thresh=NMS, det_thresh=THRESHOLD)
    found, points = detector.detect(np.ascontiguousarray(shown[..., ::-1]), input_size=size)
    return Detections(found[:, 4], found[:, :4], points)


def same(one: Detections, other: Detections, ratio: tuple[float, float] = (1, 1)) -> bool:
    assert len(one.score) == len(other.score) > 0
    box = other.box.reshape(-1, 2, 2) * ratio
    near = [
        np.allclose(one.score, other.score, atol=1e-6),
        np.allclose(one.box, box.reshape(-1, 4), atol=1e-2),
        np.allclose(one.landmarks, other.landmarks * ratio, atol=1e-2),
    ]
    return all(near)


def test_faces_are_those_of_insightface_and_of_its_published_layout(pack):
    shown = picture(320, 256)
    (faces,) = PackDetector(pack, THRESHOLD, NMS, 640).detect([shown])
    assert same(faces, theirs(pack, shown, (320, 256)))
    assert (np.diff(faces.score) <= 0).all()
    # the best of all anchors, computed from the outputs by hand: rows, columns, two anchors a place
    blob = ((shown.astype(np.float32) - 127.5) / 128).transpose(2, 0, 1)[None]
    outputs = onnxruntime.InferenceSession(str(pack.file())).run(None, {"input.1": blob})
    level = int(np.argmax([score.max() for score in outputs[:3]]))
    best, stride = int(outputs[level].argmax()), STRIDES[level]
    y, x = divmod(best // 2, 320 // stride)
    centre, distance = np.array([x, y]) * stride, outputs[3 + level][best] * stride
    box = np.concatenate([centre - distance[:2], centre + distance[2:]])
    assert faces.score[0] == pytest.approx(outputs[level][best, 0], abs=1e-5)
    assert np.allclose(faces.box[0], box, atol=1e-2)
    assert np.allclose(faces.landmarks[0], centre + outputs[6 + level][best].reshape(5, 2) * stride, atol=1e-2)


@pytest.mark.parametrize(("long_side", "small"), [(640, (333, 250)), (160, (160, 120))])
def test_any_size_is_brought_to_multiples_of_the_stride(pack, long_side, small):
    shown = picture(333, 250)
    (faces,) = PackDetector(pack, 0.9, NMS, long_side).detect([shown])
    amid = np.zeros((-(-small[1] // 32) * 32, -(-small[0] // 32) * 32, 3), np.uint8)
    amid[: small[1], : small[0]] = cv2.resize(shown, small, interpolation=cv2.INTER_AREA)
    assert same(faces, theirs(pack, amid, amid.shape[1::-1]), (333 / small[0], 250 / small[1]))


def test_a_file_of_one_size_is_given_that_size(tmp_path):
    fixed = write_detector(tmp_path / "det.onnx", side=128)
    shown = picture(333, 250)
    (faces,) = PackDetector(fixed, THRESHOLD, NMS, 640).detect([shown])
    amid = np.zeros((128, 128, 3), np.uint8)
    amid[:96, :128] = cv2.resize(shown, (128, 96), interpolation=cv2.INTER_AREA)
    assert same(faces, theirs(fixed, amid, None), (333 / 128, 250 / 96))


def test_the_file_decides_who_reads_it(pack, tmp_path, installed_models):
    assert isinstance(load_detector(pack, FacesConfig(), 1), PackDetector)
    embedded = Installed.model_validate_json((installed_models / "retinaface_mobilenet/asset.json").read_text())
    detector = load_detector(embedded, FacesConfig(threshold=0.5), 1)
    assert isinstance(detector, FaceDetector)
    assert detector.threshold == 0.5
    with pytest.raises(WaverError, match="has 6 outputs; a detector of InsightFace with five points has 9 or 15"):
        load_detector(write_detector(tmp_path / "boxes.onnx", points=False), FacesConfig(), 1)


def test_an_embedding_is_that_of_insightface_of_its_own_alignment(arcface):
    from insightface.model_zoo import get_model

    shown = picture(160, 120, seed=2)
    look = embedding_looks(arcface).of(shown, POINTS)
    network = get_model(str(arcface.file()), providers=["CPUExecutionProvider"])
    known = network.get(np.ascontiguousarray(shown[..., ::-1]), SimpleNamespace(kps=POINTS))
    assert np.linalg.norm(look) == pytest.approx(1)
    assert look @ known / np.linalg.norm(known) > 0.9999
    other = embedding_looks(arcface).of(picture(160, 120, seed=3), POINTS)
    assert look @ other < 0.9


def test_what_is_no_embedding_is_told(pack, tmp_path):
    for model in (pack, write_embedding(tmp_path / "small.onnx", side=56)):
        with pytest.raises(WaverError, match=r"is no embedding of faces of 112 pixels; correct models\.paths\."):
            embedding_looks(model)


def test_a_person_is_found_again_by_the_embedding():
    """Two people in turn at two places; the vector says who it is, and every third detection is looked at."""
    calls = []

    def of(shown, landmarks):
        calls.append(landmarks)
        return np.eye(2)[int(shown[0, 0, 0])]

    def speaker(people: tuple[int, int]) -> set[int]:
        sightings = Sightings(Looks(of, 3, 0.4, 0.3, 0.2))
        for place in range(120):
            second = place >= 60
            box = np.array([[10, 10, 50, 60]], np.float32) + 100 * second + place % 7
            faces = Detections(np.ones(1, np.float32), box, (POINTS + place % 7)[None])
            sightings.add(place, np.full((4, 4, 3), people[second], np.uint8), faces)
        return set(sightings.speaker())

    assert speaker((1, 1)) == set(range(120))
    assert len(calls) == 40
    assert len(speaker((0, 1))) == 60


@pytest.mark.slow
def test_faces_of_a_clip_by_a_pack_and_an_embedding(pack, arcface, tmp_path):
    with av.open(str(tmp_path / "clip.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=24, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(6):
            frame = av.VideoFrame.from_ndarray(picture(96, 64), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 24)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    write_videos(tmp_path / "videos.parquet", [tmp_path / "clip.mp4"], tmp_path)
    records = [Path(model.folder) / "asset.json" for model in (pack, arcface)]
    where, config = (tmp_path / "stores", tmp_path / "i.parquet"), FacesConfig(size=64, threshold=0.6)
    extract_faces(tmp_path / "videos.parquet", tmp_path, records[0], *where, config, "1", records[1])
    (row,) = read_table(tmp_path / "i.parquet", FEATURE_INDEX)
    assert row["status"] == "ok", row["reason"]
    arrays = read_store(tmp_path / "stores" / row["participant"] / f"{row['video']}.zarr")
    assert arrays["valid"].any()
    assert arrays["image"].shape == (6, 64, 64, 3)
    key = row["key"]
    extract_faces(tmp_path / "videos.parquet", tmp_path, records[0], *where, config, "1")
    (row,) = read_table(tmp_path / "i.parquet", FEATURE_INDEX)
    assert row["key"] != key  # who is followed depends on the embedding


QUIET = """
import sys
def note(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise SystemExit(f"a request: {arguments}")
sys.addaudithook(note)
import numpy as np
from waver.assets.manifest import read_record
from waver.config.sections import FacesConfig
from waver.features.faces.detectors import load_detector
from waver.features.faces.insightface_pack import embedding_looks
detector = load_detector(read_record(sys.argv[1]), FacesConfig(threshold=0.5), 1)
(faces,) = detector.detect([np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)])
assert len(faces.score)
embedding_looks(read_record(sys.argv[2])).of(np.zeros((64, 96, 3), np.uint8), faces.landmarks[0])
"""


@pytest.mark.slow
def test_insightface_asks_writes_and_says_nothing(pack, arcface, tmp_path):
    own = {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    records = [str(Path(model.folder) / "asset.json") for model in (pack, arcface)]
    command = [sys.executable, "-c", QUIET, *records]
    done = subprocess.run(command, env=os.environ | own, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []
