"""Small video files that claim much: each is excluded at once, and costs neither time, memory nor the rest."""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
from bah_tree import by_video, video_path

from checkout import ROOT
from video_clips import constant_rate, write_clip, write_packets_at
from waver.datasets import video_limits
from waver.datasets.video_probe import open_video, probe_video
from waver.errors import ExcludedItem
from waver.features.clock import frame_clock
from waver.features.waveform import read_waveform
from waver.io.shard_job import run_shard
from waver.io.tables import FEATURE_INDEX, read_table


def with_counts(count: int, *boxes: bytes) -> bytes:
    """A small MP4 whose index claims ``count`` frames of one byte."""
    content = bytearray(clip_bytes())
    changes = {b"stsz": (1, count), b"stts": (1, count, 1), b"stsc": (1, 1, count, 1)}
    for box in boxes:
        at = content.index(box) + 8
        content[at : at + 4 * len(changes[box])] = struct.pack(f">{len(changes[box])}I", *changes[box])
    return bytes(content)


def clip_bytes() -> bytes:
    path = CLIPS / "small.mp4"
    return path.read_bytes() if path.exists() else write_clip(path, constant_rate(24, 3), "mpeg4").read_bytes()


@pytest.fixture(autouse=True, scope="module")
def _clips(tmp_path_factory):
    global CLIPS
    CLIPS = tmp_path_factory.mktemp("clips")


def late(path: Path, *times_s: float) -> Path:
    """Frames shown at these times, in a file of a kilobyte or two: Matroska, whatever its name."""
    return write_packets_at(path, times_s, lambda number: np.full((48, 64, 3), number, np.uint8), rate=1)


def sparse(path: Path) -> Path:
    return late(path, *(60.0 * number for number in range(30)))


def wide(path: Path) -> Path:
    """A picture of 12,000 x 12,000 pixels."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", rate=24)
        stream.width = stream.height = 12_000
        stream.pix_fmt = "yuvj420p"
        frame = av.VideoFrame(12_000, 12_000, "yuvj420p")
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def of_another(path: Path) -> Path:
    write_clip(path.with_name("other.mp4"), constant_rate(24, 10))
    path.write_text("ffconcat version 1.0\nfile other.mp4\n")
    return path


def playlist(path: Path) -> Path:
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    return path


def counted(*boxes: bytes):
    def write(path: Path) -> Path:
        path.write_bytes(with_counts(30_000_000, *boxes))
        return path

    return write


MOST_S = 20.0
"""CPU seconds, a hundred times what it takes on a machine that does nothing else."""
HOSTILE = {
    "one frame at 1e8 s": (lambda path: late(path, 0.0, 1e8), "its last frame ends at"),
    "one frame before the others": (lambda path: late(path, -1e6, 0.0), "its last frame ends at"),
    "a frame a minute": (sparse, "it shows 30 frames in 1"),
    "two frames in an hour": (lambda path: late(path, 0.0, 3600.0), "it shows 2 frames in 7200 s"),
    "a huge picture": (wide, "its picture has 12000 x 12000 pixels"),
    "30 million frames": (counted(b"stsz", b"stts", b"stsc"), "its index lists more frames than the file has bytes"),
    "a list of other videos": (of_another, "cannot be opened"),
    "a playlist": (playlist, "cannot be opened"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_a_small_file_that_claims_much_is_excluded_at_once(tmp_path, name):
    write, reason = HOSTILE[name]
    path = write(tmp_path / "a.mp4")
    assert path.stat().st_size < 4 << 20
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    for reader in (probe_video, frame_clock):
        with pytest.raises(ExcludedItem, match=reason):
            reader(path)
    assert time.process_time() - started < MOST_S
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400 << 10


def test_it_costs_only_itself_at_ingest(run, release, clip, tmp_path):
    root = release.write(tmp_path / "root", clip)
    late(root / video_path("82568", 1), 0.0, 1e8)
    found = run(root)
    assert "82568_Q1" not in by_video(found["videos"])
    assert len(found["videos"]) == 5
    assert [row["item"] for row in found["set_aside"]] == ["82568_Q1"]


def test_it_costs_only_itself_in_a_job(tmp_path):
    """Also where it became hostile after the ingest: it is no trouble of the machine, which would fail for ever."""
    good, bad = write_clip(tmp_path / "good.mp4", constant_rate(24, 5)), late(tmp_path / "bad.mp4", 0.0, 1e8)
    rows = [{"video": path.stem, "participant": "p", "checksum": path.stem, "path": path} for path in (bad, good)]

    def compute(row, writer):
        clock = frame_clock(row["path"])
        writer.put("source_frame", clock.source_frame)
        return clock.frames, ""

    run_shard(rows, tmp_path / "stores", tmp_path / "index.parquet", {}, compute)
    reasons = {
        row["video"]: (row["status"], row["reason"] or "")
        for row in read_table(tmp_path / "index.parquet", FEATURE_INDEX)
    }
    assert reasons["good"] == ("ok", "")
    assert reasons["bad"][0] == "set_aside"
    assert reasons["bad"][1].startswith("its last frame ends at")


def test_pictures_that_grow_are_not_decoded(tmp_path, monkeypatch):
    clip = write_clip(tmp_path / "a.mp4", constant_rate(24, 5))
    monkeypatch.setattr(video_limits, "MOST_PIXELS", 2 * 200 * 120)
    with open_video(clip) as (container, stream):
        assert len(list(container.decode(stream))) == 5
    monkeypatch.setattr(video_limits, "MOST_PIXELS", 200 * 120 - 1)
    with pytest.raises(ExcludedItem, match="its picture has 200 x 120 pixels"):
        probe_video(clip)


def test_many_frames_in_few_bytes():
    video_limits.check_cost(24 * 3600, 640, 480, 20_000_000)
    with pytest.raises(ExcludedItem, match="its 9000 bytes cannot hold 300 frames of 7680 x 4320 pixels"):
        video_limits.check_cost(300, 7680, 4320, 9000)


def test_sound_of_one_sample_a_second(tmp_path):
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as out:
        picture, sound = out.add_stream("mpeg4", rate=24), out.add_stream("pcm_u8", rate=1)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        out.mux(picture.encode(av.VideoFrame(64, 48, "yuv420p")))
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.uint8), format="u8", layout="mono")
        frame.sample_rate = 1
        out.mux(sound.encode(frame))
        for stream in (picture, sound):
            out.mux(stream.encode(None))
    probe = probe_video(path)
    with pytest.raises(ExcludedItem, match="its sound has 1 samples a second"):
        read_waveform(path, probe.audio_start_s, probe.end_s)


@pytest.mark.slow
def test_a_video_of_random_bytes_ends_nothing(tmp_path):
    """Damage of any kind is the file's own: in a process of its own, as a crash would end this one."""
    script = """
import sys, random, pathlib
from waver.datasets.video_probe import probe_video
from waver.errors import ExcludedItem
source, target = map(pathlib.Path, sys.argv[1:])
draw, content, found = random.Random(0), source.read_bytes(), 0
for _ in range(60):
    damaged = bytearray(content)
    for _ in range(draw.choice((1, 5, 50))):
        damaged[draw.randrange(len(damaged))] = draw.choice((0, 1, 127, 128, 255, draw.randrange(256)))
    target.write_bytes(damaged)
    try:
        probe_video(target)
    except ExcludedItem:
        found += 1
print(found)
"""
    source = write_clip(tmp_path / "a.mp4", constant_rate(24, 12), sound_from_s=0.0)
    own = {"PYTHONPATH": str(ROOT / "src"), "PATH": ""}
    command = [sys.executable, "-c", script, source, tmp_path / "b.mp4"]
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
