"""A recording on which FFmpeg dies is set aside by ingest, and the others are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from video_clips import constant_rate, write_clip
from waver.datasets.inventory import scan
from waver.datasets.video_files import VideoFile, examine
from waver.errors import ExcludedItem
from waver.features.clock import frame_clock
from waver.features.video import Decoding, decode_frames, decode_in_worker
from waver.io import worker_process as module

FRAGILE = """
import os, av
whole = av.open
def fragile(path, *rest, **options):
    if "bad" in str(path):
        os.abort()
    return whole(path, *rest, **options)
av.open = fragile
"""


@pytest.fixture(autouse=True)
def _in_this_thread():
    """Threads, as in a run."""


@pytest.fixture
def release(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(module, "_START", module._START.replace("from waver", f"{FRAGILE}\nfrom waver"))
    monkeypatch.setattr(module._mine, "worker", None, raising=False)
    (tmp_path / "release").mkdir()
    write_clip(tmp_path / "release/a.mp4", constant_rate(24, 12))
    for name in ("bad.mp4", "c.mp4"):
        (tmp_path / "release" / name).write_bytes((tmp_path / "release/a.mp4").read_bytes())
    return tmp_path / "release"


@pytest.mark.slow
def test_the_others_are_read(release, tmp_path, caplog):
    found = examine(release, scan(release), tmp_path / "cache.json")
    assert isinstance(found["a.mp4"], VideoFile)
    assert isinstance(found["c.mp4"], VideoFile)
    assert isinstance(found["bad.mp4"], ExcludedItem)
    assert found["bad.mp4"].reason == "its decoder crashed (SIGABRT)"
    assert "bad.mp4" in caplog.text


@pytest.mark.slow
def test_pictures_from_the_worker_are_those_of_the_decoder(release):
    clock, here, there = frame_clock(release / "a.mp4"), Decoding(), Decoding()
    with pytest.raises(ExcludedItem, match="SIGABRT"):
        frame_clock(release / "bad.mp4")
    want = list(decode_frames(release / "a.mp4", clock.probe, clock.needed, here))
    got = list(decode_in_worker(release / "a.mp4", clock.probe, clock.needed, there))
    assert [number for number, _ in got] == [number for number, _ in want] == list(range(12))
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(got, want, strict=True))
    assert there == here
