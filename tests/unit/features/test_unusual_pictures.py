"""Pictures whose size changes, of 10 bits and of high dynamic range."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from waver.assets.manifest import installed
from waver.datasets.video_probe import probe_video
from waver.features.faces.detect import FaceDetector
from waver.features.tone import tone_mapped
from waver.features.video import Decoding, decode_frames, fitted

Size = tuple[int, int]


@pytest.fixture(scope="module")
def grey(installed_models: Path) -> np.ndarray:
    """A portrait without colours, 240 x 240, not brighter than the tone mapping leaves unchanged."""
    picture = cv2.imread(str(installed_models / "astronaut" / "image.png"), cv2.IMREAD_GRAYSCALE)[20:260, 110:350]
    return np.repeat((picture * 0.8).astype(np.uint8)[..., None], 3, axis=2)


def changing(path: Path, codec: str, picture: np.ndarray, sizes: Sequence[Size], each: int = 6) -> Path:
    """A clip that shows the picture in the middle of frames whose width and height change."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=24)
        stream.width, stream.height, stream.pix_fmt = *sizes[0], "yuv420p"
        for part, (width, height) in enumerate(sizes):
            encoder = av.CodecContext.create(codec, "w")
            encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
            encoder.time_base, encoder.framerate = Fraction(1, 24), Fraction(24)
            if codec == "libx264":
                encoder.options = {"bf": "0", "crf": "15"}
            whole = fitted(picture, width, height)
            for number in range(each):
                frame = av.VideoFrame.from_ndarray(whole, format="rgb24")
                frame.pts, frame.time_base = part * each + number, Fraction(1, 24)
                mux(out, stream, encoder.encode(frame))
            mux(out, stream, encoder.encode(None))
    return path


def mux(out, stream, packets) -> None:
    for packet in packets:
        packet.time_base, packet.stream = Fraction(1, 24), stream
        out.mux(packet)


CHANGES = {
    "grows": ("a.webm", "libvpx", [(160, 120), (320, 240)], (320, 240)),
    "shrinks": ("a.webm", "libvpx", [(320, 240), (160, 120), (320, 240)], (320, 240)),
    "is turned": ("a.webm", "libvpx", [(320, 240), (240, 320)], (320, 240)),
    "H.264": ("a.ts", "libx264", [(160, 120), (320, 240)], (320, 240)),
    "another shape": ("a.ts", "libx264", [(320, 240), (320, 180)], (320, 240)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_a_picture_that_changes_its_size_keeps_its_shape(tmp_path, grey, name):
    file, codec, sizes, largest = CHANGES[name]
    clip = changing(tmp_path / file, codec, grey, sizes)
    probe, decoding = probe_video(clip), Decoding()
    assert ((probe.width, probe.height), probe.resized) == (largest, True)
    pictures = dict(decode_frames(clip, probe, range(len(probe.pts_s)), decoding, "decord"))
    assert len(pictures) == 6 * len(sizes)
    assert decoding.note().endswith("its picture changes its size")
    for number, picture in pictures.items():
        width, height = sizes[number // 6]
        expected = fitted(fitted(grey, width, height), *largest)
        assert picture.shape == expected.shape
        assert np.abs(picture.astype(int) - expected).mean() < 8


@pytest.mark.slow
def test_an_ordinary_picture_does_not_change(tmp_path, grey):
    probe = probe_video(changing(tmp_path / "a.webm", "libvpx", grey, [(320, 240), (320, 240)]))
    assert not probe.resized


def code_of(light: np.ndarray, transfer: str) -> np.ndarray:
    """Code values 0 to 1 of grey light, a share of white."""
    nits = 203 * light
    if transfer == "PQ":
        power = (nits / 10_000) ** (2610 / 16384)
        return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)
    scene = (nits / 1000) ** (1 / 1.2)
    bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-6)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)


@pytest.mark.parametrize("transfer", ["PQ", "HLG"])
def test_tones(transfer):
    shown = np.arange(20, 216, dtype=np.uint8)
    code = np.round(255 * code_of((shown / 255) ** 2.4, transfer)).astype(np.uint8)
    back = tone_mapped(np.repeat(code[None, :, None], 3, axis=2), transfer)[0, :, 1].astype(int)
    assert np.abs(back - shown).max() <= 8  # steps of 8 bits of PQ
    whole = tone_mapped(np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2), transfer)[0, :, 1]
    assert (np.diff(whole.astype(int)) >= 0).all()
    assert whole[0] == 0
    assert whole[-1] > 230


@pytest.mark.parametrize(("transfer", "name"), [("PQ", "smpte2084"), ("HLG", "arib-std-b67"), ("", "bt709")])
def test_ten_bits(tmp_path, installed_models, grey, transfer, name):
    clip = tmp_path / "a.mp4"
    code = code_of((grey / 255) ** 2.4, transfer) if transfer else grey / 255
    space = 9 if transfer else 1
    with av.open(str(clip), "w") as out:
        stream = out.add_stream("libx265", rate=24)
        stream.width = stream.height = 240
        stream.pix_fmt = "yuv420p10le"
        colours = f"colorprim={'bt2020' if transfer else 'bt709'}:transfer={name}:colormatrix="
        colours += "bt2020nc" if transfer else "bt709"
        stream.options = {"x265-params": f"{colours}:log-level=none", "crf": "8"}
        luma = np.round(64 + 876 * code[..., 0]).astype(np.uint16)
        for number in range(3):
            frame = av.VideoFrame(240, 240, "yuv420p10le")
            for plane, values in zip(frame.planes, (luma, *[np.full((120, 120), 512, np.uint16)] * 2), strict=True):
                row = np.zeros((plane.height, plane.line_size // 2), np.uint16)
                row[:, : values.shape[1]] = values
                plane.update(row.tobytes())
            frame.pts, frame.time_base, frame.colorspace = number, Fraction(1, 24), space
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    probe, decoding = probe_video(clip), Decoding()
    pictures = dict(decode_frames(clip, probe, range(3), decoding, "pyav"))
    assert ("high dynamic range" in decoding.note()) == bool(transfer)
    assert np.abs(pictures[1].astype(int) - grey).mean() < 4
    detector = FaceDetector(installed(installed_models / "retinaface_mobilenet" / "asset.json"), 0.9, 0.4, 640)
    found, expected = detector.detect([pictures[1]])[0], detector.detect([grey])[0]
    assert np.abs(found.landmarks[0] - expected.landmarks[0]).max() < 1
