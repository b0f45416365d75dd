"""The speaker's face through a recording: beside pictures and other people, gone and back again."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from sounding_clips import write_videos
from waver.config.sections import FacesConfig
from waver.features.faces.detect import Detections
from waver.features.faces.extract import extract_faces
from waver.features.faces.identity import Sightings, Tracklet
from waver.io.tables import FEATURE_INDEX, read_table
from waver.io.zarr_store import read_store

SIDE = 200
"""Of a face's square in the picture [240, 440]; the speaker is at the left, another one at the right."""


@pytest.fixture(scope="module")
def portrait(installed_models: Path) -> np.ndarray:
    picture = cv2.cvtColor(cv2.imread(str(installed_models / "astronaut" / "image.png")), cv2.COLOR_BGR2RGB)
    return cv2.resize(picture[20:260, 110:350], (SIDE, SIDE), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def people(installed_models: Path) -> dict[str, list[np.ndarray]]:
    """Squares of people in motion, every second frame of their clips."""
    found = {}
    for name in ("wolfgang", "single_face"):
        with av.open(str(installed_models / name / "clip.mp4")) as container:
            pictures = []
            for number, frame in enumerate(container.decode(video=0)):
                if number == 72:
                    break
                if number % 2 == 0:
                    picture = frame.to_ndarray(format="rgb24")
                    short = min(picture.shape[:2])
                    x, y = (picture.shape[1] - short) // 2, (picture.shape[0] - short) // 2
                    square = picture[y : y + short, x : x + short]
                    pictures.append(cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
        found[name] = pictures
    return found


def film(
    path: Path,
    frames: int,
    left: Callable[[int], np.ndarray | None],
    right: Callable[[int], np.ndarray | None],
    rate: int = 24,
    sound: np.ndarray | None = None,
):
    """A clip with what is at the left and at the right in each frame, and with sound [S] of 16 kHz."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=rate, options={"crf": "12", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 440, 240, "yuv420p"
        heard = None if sound is None else out.add_stream("aac", rate=16000, layout="mono")
        for number in range(frames):
            picture = np.full((240, 440, 3), 90, np.uint8)
            for x, shown in ((10, left(number)), (230, right(number))):
                if shown is not None:
                    height, width = shown.shape[:2]
                    picture[20 : 20 + height, x : x + width] = shown
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if heard is not None and sound is not None:
            piece = av.AudioFrame.from_ndarray(sound[None].astype(np.float32), format="fltp", layout="mono")
            piece.sample_rate, piece.pts, piece.time_base = 16000, 0, Fraction(1, 16000)
            out.mux(heard.encode(piece))
            out.mux(heard.encode(None))
    return path


def followed(folder: Path, models: Path, clip: Path, **changes):
    """Middle of the followed face's box in each frame, nan where there is none; and the note."""
    write_videos(folder / "videos.parquet", [clip], folder)
    model, config = models / "retinaface_mobilenet" / "asset.json", FacesConfig(long_side=440, **changes)
    extract_faces(folder / "videos.parquet", folder, model, folder / "stores", folder / "i.parquet", config, "1")
    (row,) = read_table(folder / "i.parquet", FEATURE_INDEX)
    assert row["status"] == "ok", row["reason"]
    store = read_store(folder / "stores" / "82001" / "82001_Q1.zarr")
    assert np.array_equal(store["valid"], ~np.isnan(store["box"][:, 0]))
    return (store["box"][:, 0] + store["box"][:, 2]) / 2, row["note"], store["image"]


def small(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (120, 120), interpolation=cv2.INTER_AREA)


@pytest.mark.slow
def test_a_portrait_beside_the_speaker_and_after(tmp_path, installed_models, people, portrait):
    """The speaker leaves in frames 12 to 23; the portrait stays, and is sharper all the time."""
    speaker = people["wolfgang"]
    clip = film(tmp_path / "a.mp4", 36, lambda n: None if 12 <= n < 24 else speaker[n], lambda n: portrait)
    middle, note, image = followed(tmp_path, installed_models, clip)
    assert np.flatnonzero(np.isnan(middle)).tolist() == list(range(12, 24))
    assert np.nanmax(middle) < 220
    assert "another face in 100% of frames" in note
    assert "switches" not in note
    assert all((image[n] == image[11]).all() for n in range(12, 24))


def tracklet(moved: float, frames: int, look: int = 0) -> Tracklet:
    """A face 100 pixels wide whose landmarks move by a share of it."""
    one, draw = Tracklet(), np.random.default_rng(0)
    box = np.array([[0, 0, 100, 120]], np.float32)
    for place in range(frames):
        points = draw.normal(50, 100 * moved, (1, 5, 2)).astype(np.float32)
        one.add(place, place + 1, 0, Detections(np.ones(1, np.float32), box, points), np.eye(256)[look])
    return one


def test_what_never_moves_is_a_picture():
    assert tracklet(0.005, 60).still
    assert not tracklet(0.015, 60).still
    assert not tracklet(0.005, 24).still  # nobody moves in half a second
    assert 10 * tracklet(0.003, 60).weight < tracklet(0.03, 60).weight


def test_a_picture_behind_the_speaker_is_seen_when_the_speaker_leaves():
    """They never share a frame, and look alike: the still one is not the speaker."""
    sightings = Sightings()
    speaker, picture = tracklet(0.03, 60), tracklet(0.003, 60)
    picture.number_at = {place + 60: 0 for place in picture.number_at}
    sightings.tracklets = [speaker, picture]
    assert sightings.speaker() == speaker.number_at


@pytest.mark.slow
def test_a_smaller_second_person(tmp_path, installed_models, people):
    first, second = people["wolfgang"], people["single_face"]
    clip = film(tmp_path / "a.mp4", 30, lambda n: None if 10 <= n < 20 else first[n], lambda n: small(second[n]))
    middle, _, _ = followed(tmp_path, installed_models, clip)
    assert np.flatnonzero(np.isnan(middle)).tolist() == list(range(10, 20))
    assert np.nanmax(middle) < 220


@pytest.mark.slow
def test_the_speaker_comes_back_elsewhere(tmp_path, installed_models, people):
    speaker = people["wolfgang"]
    clip = film(
        tmp_path / "a.mp4", 30, lambda n: speaker[n] if n < 12 else None, lambda n: speaker[n] if n >= 20 else None
    )
    middle, note, _ = followed(tmp_path, installed_models, clip)
    assert np.flatnonzero(np.isnan(middle)).tolist() == list(range(12, 20))
    assert (middle[:12] < 220).all()
    assert (middle[20:] > 220).all()
    assert "1 switches of the face" in note


def test_a_portrait_alone_is_all_there_is(tmp_path, installed_models, portrait):
    clip = film(tmp_path / "a.mp4", 14, lambda n: None, lambda n: portrait)
    middle, note, _ = followed(tmp_path, installed_models, clip)
    assert not np.isnan(middle).any()
    assert "another" not in note


def test_the_best_score_stays_an_option(tmp_path, installed_models, people, portrait):
    clip = film(tmp_path / "a.mp4", 16, lambda n: None if n >= 8 else people["wolfgang"][n], lambda n: portrait)
    middle, _, _ = followed(tmp_path, installed_models, clip, choice="best_score")
    assert not np.isnan(middle).any()
    assert (middle[8:] > 220).all()


def test_interpolated_faces_are_the_speakers(tmp_path, installed_models, people, portrait):
    speaker = people["wolfgang"]
    clip = film(tmp_path / "a.mp4", 36, lambda n: None if n >= 24 else speaker[n // 2], lambda n: portrait)
    middle, _, _ = followed(tmp_path, installed_models, clip, every=2)
    assert not np.isnan(middle[:22]).any()
    assert np.isnan(middle[26:]).all()
    assert np.nanmax(middle) < 220
