from __future__ import annotations

import fcntl
import getpass
import os
from types import SimpleNamespace

import pytest

from waver.assets.manifest import install
from waver.cluster import storage
from waver.cluster.settings import read_config

QUOTA = """\
Disk quotas for user {who} (uid 1000):
     Filesystem  blocks   quota   limit   grace   files   quota   limit   grace
      /dev/home 4800000* 4000000 5000000   6days    9000       0   10000
      /dev/data       10       0       0              10       0       0
"""


def release(root, suffix="mp4"):
    (root / "Videos").mkdir(parents=True)
    (root / f"Videos/a.{suffix}").write_bytes(b"x")
    return read_config([], [f"dataset={{root: {root}}}"])


def test_models_present_missing_and_damaged(tmp_path):
    record = "resources/models/mini_xception/asset.json"
    assert "mini_xception" in storage.models([record], tmp_path, "snakemake models").text
    install("mini_xception", tmp_path / "resources/models/mini_xception", {})
    assert storage.models([record], tmp_path, "").level == "ok"
    file = tmp_path / "resources/models/mini_xception/model.hdf5"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    found = storage.models([record], tmp_path, "snakemake models")
    assert (found.level, "model.hdf5" in found.text) == ("problem", True)
    assert "snakemake models" in found.remedy


def test_dataset(tmp_path):
    assert storage.dataset(release(tmp_path / "whole")).level == "ok"
    (tmp_path / "text/Frames").mkdir(parents=True)
    (tmp_path / "text/Frames/a.mp4").touch()
    assert "no video below" in storage.dataset(release(tmp_path / "text", "txt")).text
    assert "no folder" in storage.dataset(read_config([], [f"dataset={{root: {tmp_path}/none}}"])).text
    assert storage.dataset(read_config([])).level == "problem"


def test_room_is_held_against_the_forecast(tmp_path):
    status = os.statvfs(tmp_path)
    free_mb = status.f_bavail * status.f_frsize / 1e6
    assert storage.room(tmp_path, 1, 10).level == "ok"
    assert storage.room(tmp_path, free_mb / 1.2, 10).level == "warning"
    assert storage.room(tmp_path, free_mb * 2, 10).level == "problem"
    assert storage.room(tmp_path, 1, status.f_favail * 2).level == "problem"


def test_quota(site):
    assert "no quota program" in storage.quota(1, 1).text
    site(quota=QUOTA.format(who=getpass.getuser()))
    assert storage.quota(100, 100).text == "2 quotas, none too small"
    assert "/dev/home: 0.2 GB and 1000 files left" in storage.quota(1000, 100).text
    assert storage.quota(100, 2000).level == "warning"
    site(quota="")
    assert storage.quota(100, 100).text == "none set for you"


def test_locks_hold_here(tmp_path):
    assert storage.locks(tmp_path).level == "ok"
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_whose_locks_do_nothing_is_found_out(tmp_path, monkeypatch):
    # as Lustre with localflock: every process believes that it holds the lock
    without = SimpleNamespace(flock=lambda *_: None, LOCK_EX=fcntl.LOCK_EX, LOCK_NB=fcntl.LOCK_NB)
    monkeypatch.setattr(storage, "fcntl", without)
    assert storage.locks(tmp_path).level == "problem"


def test_a_file_system_without_locks_is_found_out(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(storage, "fcntl", SimpleNamespace(flock=refuse, LOCK_EX=2, LOCK_NB=4))
    found = storage.locks(tmp_path)
    assert (found.level, "not implemented" in found.text) == ("problem", True)


def test_renames_and_latency(tmp_path):
    assert storage.renames(tmp_path).level == "ok"
    assert storage.latency(tmp_path).check == "latency"
    assert list(tmp_path.iterdir()) == []


def test_a_slow_file_system_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "_SLOW_S", 0.0)
    assert storage.latency(tmp_path, files=3).level == "warning"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_release_that_may_not_be_read(tmp_path):
    config = release(tmp_path / "BAH")
    (tmp_path / "BAH").chmod(0)
    assert "may not be read" in storage.dataset(config).text
    (tmp_path / "BAH").chmod(0o700)
