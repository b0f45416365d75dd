"""Locks: one holder at a time, whoever removes the file, and a sentence where a file system has none."""

from __future__ import annotations

import errno
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from checkout import ROOT
from waver.errors import WaverError
from waver.io.lock import exclusive

FORK = multiprocessing.get_context("fork")
WORKERS, TURNS = 4, 150


def count_up(lock: Path, counter: Path, start) -> None:
    start.wait()
    for _ in range(TURNS):
        with exclusive(lock):
            value = int(counter.read_text())
            counter.write_text(str(value + 1))
            lock.unlink()


@pytest.mark.slow
def test_a_lock_that_its_holder_removes_still_keeps_everybody_else_out(tmp_path):
    lock, counter = tmp_path / "lock", tmp_path / "counter"
    counter.write_text("0")
    start = FORK.Barrier(WORKERS)
    workers = [FORK.Process(target=count_up, args=(lock, counter, start)) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * WORKERS
    assert int(counter.read_text()) == WORKERS * TURNS


@pytest.mark.parametrize(
    "refusal", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL], ids=errno.errorcode.get
)
def test_a_file_system_without_locks_is_named_with_the_remedy(tmp_path, monkeypatch, refusal):
    def refuse(stream, operation):
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr("waver.io.lock.fcntl.flock", refuse)
    with pytest.raises(WaverError, match=rf"{tmp_path}.*flock.*another folder"), exclusive(tmp_path / "lock"):
        pass


def test_other_trouble_of_a_lock_stays_what_it_is(tmp_path, monkeypatch):
    def fail(stream, operation):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr("waver.io.lock.fcntl.flock", fail)
    with pytest.raises(OSError, match="broken"), exclusive(tmp_path / "lock"):
        pass


def test_a_lock_names_its_holder_and_stays_where_nobody_removes_it(tmp_path):
    with exclusive(tmp_path / "made" / "lock"):
        assert f"process {os.getpid()} on {os.uname().nodename}" in (tmp_path / "made" / "lock").read_text()
    with exclusive(tmp_path / "made" / "lock"):
        pass


CACHES = """
import errno, fcntl, os
def refuse(stream, operation):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
fcntl.flock = refuse
from waver.workflow.environment import set_environment
set_environment()
"""


def test_so_is_a_folder_for_caches_without_locks(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(tmp_path)}
    answer = subprocess.run([sys.executable, "-c", CACHES], env=environment, capture_output=True, text=True)
    last = answer.stderr.splitlines()[-1]
    assert f"{tmp_path} is on a file system that does not support locks (flock: No locks available)" in last
    assert last.endswith("or work in another folder (TMPDIR)")
