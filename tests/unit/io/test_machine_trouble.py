"""A full disk, a quota, a permission: no video is set aside for them, and the user is told what to do."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from checkout import ROOT
from waver.datasets.video_probe import raise_machine_trouble
from waver.errors import trouble_sentence
from waver.io.shard_job import run_shard
from waver.io.tables import FEATURE_INDEX, read_table

VIDEOS = [{"video": f"9000{i}_Q1", "participant": f"9000{i}", "checksum": str(i)} for i in range(3)]

SCRIPT = """
import resource, sys
from types import SimpleNamespace
import numpy as np
from waver.io.shard_job import run_shard
from waver.workflow.job import job
class Named(list):
    def items(self): return ()
snakemake = SimpleNamespace(output=["000.parquet"], log=["log"], threads=1, rule="features_faces",
                            input=Named(), wildcards=Named(), params=Named())
videos = [{"video": f"9000{i}_Q1", "participant": f"9000{i}", "checksum": str(i)} for i in range(3)]
def compute(video, writer):
    size = 200_000 if video["video"] == "90001_Q1" else 100
    writer.put("frame", np.random.default_rng(0).integers(0, 255, size, np.uint8))
    return size, ""
with job(snakemake):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
    run_shard(videos, "stores", "000.parquet", {}, compute)
"""


def run(folder: Path, most_bytes: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SCRIPT, str(most_bytes)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_a_file_that_may_not_grow_ends_the_job_with_a_sentence_and_a_retry_resumes(tmp_path):
    failed = run(tmp_path, 100_000)
    assert failed.returncode == 1
    sentence = "a file would be larger than the system allows: raise the limit (ulimit -f), then run the same command"
    assert failed.stderr.startswith(f"features_faces: {sentence}")
    assert "Traceback" not in failed.stderr
    assert "90001" not in failed.stderr  # the console shows it
    assert not (tmp_path / "000.parquet").exists()
    assert [path.name for path in (tmp_path / "stores").rglob("*.zarr")] == ["90000_Q1.zarr"]
    assert not list((tmp_path / "stores").rglob(".*"))
    assert run(tmp_path, 10_000_000).returncode == 0
    assert [row["status"] for row in read_table(tmp_path / "000.parquet", FEATURE_INDEX)] == ["ok"] * 3


@pytest.mark.parametrize("number", [errno.EFBIG, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.ETIMEDOUT, errno.EIO])
def test_nobody_is_set_aside_for_it(tmp_path, number):
    def compute(video, writer):
        if video is VIDEOS[1]:
            raise OSError(number, os.strerror(number), "90001_Q1.mp4")
        writer.put("frame", np.arange(3))
        return 3, ""

    with pytest.raises(OSError, match="90001") as problem:
        run_shard(VIDEOS, tmp_path / "s", tmp_path / "i.parquet", {}, compute)
    assert not (tmp_path / "i.parquet").exists()
    assert "90001" not in trouble_sentence(problem.value)
    assert "then run the same command again" in trouble_sentence(problem.value)


def test_a_state_that_cannot_be_read_is_not_none(tmp_path, monkeypatch):
    def compute(video, writer):
        writer.put("frame", np.arange(3))
        return 3, ""

    run_shard(VIDEOS, tmp_path / "s", tmp_path / "i.parquet", {}, compute)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "s").rglob("*.zarr")}

    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(OSError, match="Input/output"):
        run_shard(VIDEOS, tmp_path / "s", tmp_path / "i.parquet", {}, compute)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "s").rglob("*.zarr")} == before


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES, errno.EIO, errno.EFBIG])
def test_a_bad_file_is_no_trouble_of_the_machine(tmp_path, number):
    (tmp_path / "bad.mp4").write_bytes(b"damaged")
    raise_machine_trouble(av.error.OSError(number, os.strerror(number)), tmp_path / "bad.mp4")
    with pytest.raises(FileNotFoundError):
        raise_machine_trouble(av.error.OSError(number, os.strerror(number)), tmp_path / "none.mp4")
