"""Pictures as a player shows them: turned, mirrored, with pixels that are not square, by either decoder."""

from __future__ import annotations

import itertools
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from waver.datasets.video_probe import probe_video
from waver.features import video
from waver.features.video import Decoding, decode_frames

ONE = 1 << 16
MATRICES = [
    *((x * ONE, 0, 0, y * ONE) for x, y in itertools.product((1, -1), repeat=2)),
    *((0, x * ONE, y * ONE, 0) for x, y in itertools.product((1, -1), repeat=2)),
]
"""Where the right and the bottom of the stored picture point to: all turns, with and without a mirror."""


def corner(path: Path, aspect: Fraction | None = None) -> Path:
    """Three frames, 96 x 64, black but for a white top left quarter and a grey top right one."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=24, options={"crf": "5"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for _ in range(3):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(stored(), format="rgb24")))
        out.mux(stream.encode(None))
    return path


def stored() -> np.ndarray:
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:32, :48], picture[:32, 48:] = 255, 128
    return picture


def with_matrix(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """The display matrix of an MP4 written anew, as cameras write it (``tkhd``)."""
    a, b, c, d = matrix
    data = bytearray(path.read_bytes())
    struct.pack_into(">9i", data, data.index(b"tkhd") + 44, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def moved(picture: np.ndarray, matrix: tuple[int, int, int, int]) -> np.ndarray:
    """Each pixel brought to where a display matrix says."""
    a, b, c, d = (np.sign(one) for one in matrix)
    y, x = np.indices(picture.shape[:2])
    right, down = a * x + c * y, b * x + d * y
    right, down = right - right.min(), down - down.min()
    out = np.empty((down.max() + 1, right.max() + 1, 3), np.uint8)
    out[down, right] = picture
    return out


def first_picture(path: Path, decoder: str) -> tuple[np.ndarray, str]:
    probe, decoding = probe_video(path), Decoding()
    shown = dict(decode_frames(path, probe, range(3), decoding, decoder))
    assert shown[0].shape == (probe.height, probe.width, 3)
    return shown[0], decoding.note()


@pytest.mark.parametrize("decoder", ["pyav", "decord"])
@pytest.mark.parametrize("matrix", MATRICES)
def test_a_display_matrix_is_what_it_is(tmp_path, matrix, decoder):
    picture, note = first_picture(with_matrix(corner(tmp_path / "a.mp4"), matrix), decoder)
    expected = moved(stored(), matrix)
    assert picture.shape == expected.shape
    assert np.abs(picture.astype(int) - expected).mean() < 8
    mirrored = matrix[0] * matrix[3] - matrix[1] * matrix[2] < 0
    assert ("mirrored" in note) == (decoder == "decord" and mirrored)


def test_a_matrix_that_is_none(tmp_path):
    picture, _ = first_picture(with_matrix(corner(tmp_path / "a.mp4"), (0, 0, 0, 0)), "pyav")
    assert np.abs(picture.astype(int) - stored()).mean() < 8


@pytest.mark.parametrize("decoder", ["pyav", "decord"])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize(
    ("aspect", "size"),
    [
        (Fraction(2), (192, 64)),
        (Fraction(4, 3), (128, 64)),
        (Fraction(1, 2), (96, 128)),
        (Fraction(101, 100), (96, 64)),  # of rounding, not of the camera
        (Fraction(50), (96, 64)),  # of no camera
    ],
)
def test_pixels_become_square(tmp_path, name, aspect, size, decoder):
    picture, note = first_picture(corner(tmp_path / name, aspect), decoder)
    assert picture.shape[1::-1] == size
    height, width = picture.shape[:2]
    for row, column, grey in ((1, 1, 255), (1, 3, 128), (3, 1, 0), (3, 3, 0)):
        assert abs(int(picture[row * height // 4, column * width // 4].mean()) - grey) < 8
    if decoder == "decord" and name == "a.mp4":
        assert ("pixels are not square" in note) == (size != (96, 64))


def test_square_pixels_before_the_turn(tmp_path):
    clip = with_matrix(corner(tmp_path / "a.mp4", Fraction(2)), MATRICES[5])
    picture, _ = first_picture(clip, "pyav")
    assert picture.shape == (192, 64, 3)
    assert probe_video(clip).display.pixel_aspect == 2


def test_decord_is_left_where_it_shows_another_picture(tmp_path, monkeypatch):
    clip = corner(tmp_path / "a.mp4")
    monkeypatch.setattr(video, "_shown", lambda frame, display: frame.to_ndarray(format="rgb24")[:, ::-1])
    decoding = Decoding()
    assert len(list(decode_frames(clip, probe_video(clip), range(3), decoding, "decord"))) == 3
    assert decoding.note() == "decoder=pyav (another first picture)"
