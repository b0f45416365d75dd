"""The right picture for each frame number, by either decoder, from whole and damaged files."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import av
import numpy as np
import pytest

from video_clips import constant_rate, number_of, trim_without_encoding, variable_rate, write_clip
from waver.config.sections import FacesConfig
from waver.datasets.video_probe import probe_video
from waver.features import video
from waver.features.clock import frame_clock
from waver.features.video import Decoder, Decoding, decode_frames
from waver.provenance import digest


def numbers(path: Path, frames=None, decoder="decord") -> tuple[list[int], list[int], str]:
    """Frame numbers given, numbers burnt into the pictures, and the note."""
    probe, decoding = probe_video(path), Decoding()
    wanted = range(len(probe.pts_s)) if frames is None else frames
    walked = [(n, number_of(picture)) for n, picture in decode_frames(path, probe, wanted, decoding, decoder)]
    return [n for n, _ in walked], [burnt for _, burnt in walked], decoding.note()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "codec", "times", "note"),
    [
        ("cfr.mp4", "libx264", constant_rate(24, 40), "decoder=decord"),
        ("vfr.mp4", "libx264", variable_rate(40), "decoder=decord"),
        ("late.mp4", "libx264", [t + 0.5 for t in constant_rate(24, 40)], "decoder=decord"),
        ("hevc.mov", "libx265", constant_rate(24, 40), "decoder=decord"),
        ("vp8.webm", "libvpx", variable_rate(40), "decoder=pyav (no frame index)"),
        ("old.avi", "mpeg4", constant_rate(24, 40), "decoder=pyav (no frame index)"),
        # decord gives the wrong pictures from this one, with the right times
        ("stream.ts", "libx264", constant_rate(24, 40), "decoder=pyav (no frame index)"),
    ],
)
def test_every_frame_is_the_right_one(tmp_path, name, codec, times, note):
    given, burnt, actual = numbers(write_clip(tmp_path / name, times, codec))
    assert given == burnt == list(range(40))
    assert actual == note


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["auto", "pyav"])
@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.webm", "libvpx"), ("a.ts", "libx264")])
def test_pyav_decodes_what_comes_from_outside(tmp_path, monkeypatch, name, codec, decoder):
    monkeypatch.setattr(video, "_trusted_reader", lambda *_: pytest.fail("decord was asked"))
    clip = write_clip(tmp_path / name, variable_rate(20), codec)
    assert numbers(clip, None, decoder) == (list(range(20)), list(range(20)), "decoder=pyav")


def test_the_decoder_is_pyav_unless_the_config_says_otherwise():
    assert FacesConfig().decoder == "auto"
    keys = {digest({"config": FacesConfig(decoder=name).model_dump()}) for name in get_args(Decoder)}
    assert len(keys) == 3  # of the stores


def test_only_needed_frames_are_given_once(tmp_path):
    clip = write_clip(tmp_path / "a.mp4", constant_rate(30, 60))
    needed = frame_clock(clip).needed
    given, burnt, _ = numbers(clip, needed)
    assert given == burnt == needed.tolist()
    assert len(needed) == 48


def test_edit_list(tmp_path):
    whole = write_clip(tmp_path / "a.mp4", constant_rate(24, 60))
    given, burnt, actual = numbers(trim_without_encoding(whole, tmp_path / "b.mp4", 1.25))
    assert given == list(range(30))
    assert burnt == list(range(30, 60))
    assert actual == "decoder=pyav (edit list)"


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_both_decoders_give_the_same_upright_picture(tmp_path, rotation, monkeypatch):
    clip = write_clip(tmp_path / "a.mp4", constant_rate(24, 20), rotation=rotation)
    probe, first, second = probe_video(clip), Decoding(), Decoding()
    by_decord = dict(decode_frames(clip, probe, range(20), first, "decord"))
    monkeypatch.setattr(video, "decord", None)
    by_pyav = dict(decode_frames(clip, probe, range(20), second, "decord"))
    assert (first.note(), second.note()) == ("decoder=decord", "decoder=pyav (decord is not installed)")
    assert by_decord.keys() == by_pyav.keys() == set(range(20))
    assert all(np.array_equal(by_decord[n], by_pyav[n]) for n in range(20))
    assert by_decord[0].shape == (probe.height, probe.width, 3)
    assert number_of(np.rot90(by_decord[13], -rotation // 90)) == 13


def test_cut_short_gives_what_is_there(tmp_path):
    whole = write_clip(tmp_path / "a.mp4", constant_rate(24, 60), options={"movflags": "faststart"}).read_bytes()
    (tmp_path / "b.mp4").write_bytes(whole[: len(whole) * 6 // 10])
    given, burnt, actual = numbers(tmp_path / "b.mp4")
    assert given == burnt
    assert 5 < len(given) < 55
    assert actual.startswith("decoder=pyav (cut short)")


def test_damaged_packets_are_passed_over(tmp_path, caplog):
    clip = write_clip(tmp_path / "a.mp4", constant_rate(24, 60))
    data = bytearray(clip.read_bytes())
    with av.open(str(clip)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    for start, size in places[40:44]:
        data[start + 4 : start + size] = bytes(size - 4)
    clip.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        given, burnt, actual = numbers(clip)
    assert 50 <= len(given) < 60
    assert given == sorted(set(given))
    assert given[:30] == burnt[:30] == list(range(30))
    assert given[-12:] == burnt[-12:] == list(range(48, 60))  # right again from the next key frame
    assert "decord stopped at frame" in caplog.text
    assert f"{60 - len(given)} of 60 frames could not be decoded" in actual


def test_decord_reads_windows_that_begin_at_key_frames(tmp_path, monkeypatch):
    clip = write_clip(tmp_path / "a.mp4", constant_rate(24, 120))
    with av.open(str(clip)) as container:
        keys = sum(packet.is_keyframe for packet in container.demux(video=0))
    frame_bytes = 200 * 120 * 3
    monkeypatch.setattr(video, "_WINDOW_BYTES", 30 * frame_bytes)
    windows = []
    monkeypatch.setattr(video, "_windows", lambda *given, of=video._windows: windows.append(of(*given)) or windows[-1])
    given, burnt, actual = numbers(clip)
    assert (given, burnt, actual) == (list(range(120)), list(range(120)), "decoder=decord")
    assert 1 < len(windows[-1]) <= keys
    assert max(map(len, windows[-1])) <= 30 + 12


def test_where_key_frames_are_far_apart_pyav_decodes(tmp_path, monkeypatch):
    clip = write_clip(tmp_path / "a.mp4", constant_rate(24, 20))
    monkeypatch.setattr(video, "_MOST_BYTES", 200 * 120 * 3 * 5)
    given, burnt, actual = numbers(clip)
    assert given == burnt == list(range(20))
    assert actual == "decoder=pyav (its key frames are too far apart)"


@pytest.mark.slow
def test_real_variable_rate_recording(installed_models: Path):
    clip = installed_models / "face_gap" / "clip.mov"
    clock, decoding = frame_clock(clip), Decoding()
    given = [n for n, _ in decode_frames(clip, clock.probe, clock.needed, decoding)]
    assert given == clock.needed.tolist()


@pytest.mark.slow
def test_decord_keeps_its_libraries_to_itself(installed_models: Path):
    picture = installed_models / "astronaut" / "image.png"
    code = f"import waver.features.video as d, cv2; print(d.decord is not None, cv2.imread({str(picture)!r}).shape)"
    there = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=there)
    assert done.stdout.strip() == "True (512, 512, 3)", done.stderr
