"""A decoder that dies takes one recording with it."""

from __future__ import annotations

import errno
import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import bad_decoders
from waver.errors import ExcludedItem, is_machine_trouble
from waver.io import worker_process as module
from waver.io.shard_job import run_shard
from waver.io.tables import FEATURE_INDEX, read_table
from waver.io.worker_process import call_in_worker, stream_from_worker


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """A worker of this test's own, and less memory for it to take."""
    monkeypatch.setattr(module, "MEMORY_BYTES", 1 << 30)
    yield
    worker = getattr(module._mine, "worker", None)
    if worker is not None and worker.alive():
        worker.end()


@pytest.mark.slow
def test_one_worker_serves_call_after_call():
    first, second = call_in_worker(bad_decoders.read, "a"), call_in_worker(bad_decoders.read, "b")
    assert first.split()[0] == second.split()[0] != str(os.getpid())
    assert second.endswith(" read b")


DEATHS = {
    "abort": "its decoder crashed (SIGABRT)",
    "segv": "its decoder crashed (SIGSEGV)",
    "exit": "its decoder crashed (exit status 3)",
    "eat": "decoding it takes more than 1 GB of memory",
}


@pytest.mark.slow
def test_a_shard_goes_on_after_decoders_that_die(tmp_path, caplog):
    names = ["good", *DEATHS, "excluded", "odd", "after"]
    videos = [{"video": name, "participant": "9", "checksum": name} for name in names]

    def compute(video, writer):
        call_in_worker(bad_decoders.read, f"{video['video']}.mp4")
        writer.put("frame", np.zeros(3))
        return 3, ""

    run_shard(videos, tmp_path / "stores", tmp_path / "000.parquet", {}, compute)
    rows = {row["video"]: row for row in read_table(tmp_path / "000.parquet", FEATURE_INDEX)}
    assert [name for name, row in rows.items() if row["status"] == "ok"] == ["good", "after"]
    assert {name: rows[name]["reason"] for name in DEATHS} == DEATHS
    assert rows["excluded"]["reason"] == "no video"
    assert rows["odd"]["reason"] == "unexpected RuntimeError"
    assert "abort.mp4: its decoder crashed (SIGABRT)" in caplog.text
    assert "reads good.mp4" in caplog.text  # the worker's log is the job's


def test_a_recording_is_not_blamed_for_what_an_earlier_one_spoiled():
    call_in_worker(bad_decoders.read, "first")
    assert call_in_worker(bad_decoders.read, "second").endswith("read second")


def test_a_decoder_that_hangs_is_ended(monkeypatch):
    call_in_worker(bad_decoders.read, "a")
    monkeypatch.setattr(module, "PATIENCE_S", 1)
    started = time.monotonic()
    with pytest.raises(ExcludedItem, match="did not answer for 1 s"):
        call_in_worker(bad_decoders.read, "hang.mp4")
    assert time.monotonic() - started < 40
    monkeypatch.setattr(module, "PATIENCE_S", 600)
    assert call_in_worker(bad_decoders.read, "b")


@pytest.mark.parametrize("name", ["disk", "killed", "ended"])
def test_trouble_of_the_machine_stays_what_it_is(name):
    with pytest.raises((OSError, MemoryError)) as problem:
        call_in_worker(bad_decoders.read, f"{name}.mp4")
    assert is_machine_trouble(problem.value)
    assert name != "disk" or problem.value.errno == errno.ENOSPC


@pytest.mark.slow
def test_pictures_go_on_where_the_worker_died():
    call_in_worker(bad_decoders.read, "before")
    seen, actual = [], []

    def walk():
        actual.append((yield from stream_from_worker(bad_decoders.frames, "b")))

    for number, picture in walk():
        assert (picture == number).all()
        seen.append(number)
    assert seen == [0, 1, 2, 3, 4]
    assert actual == ["all of b"]
    with pytest.raises(ExcludedItem, match="SIGABRT"):
        list(stream_from_worker(bad_decoders.frames, "always"))


def test_a_reader_that_stops_early_disturbs_nobody():
    stream = stream_from_worker(bad_decoders.frames, "a")
    assert next(stream)[0] == 0
    stream.close()
    assert call_in_worker(bad_decoders.read, "b").endswith("read b")


def test_threads_have_workers_of_their_own_and_leave_none():
    with ThreadPoolExecutor(2) as pool:
        workers = {answer.split()[0] for answer in pool.map(lambda n: call_in_worker(bad_decoders.read, n), "ab")}
    deadline = time.monotonic() + 20
    while any(os.path.exists(f"/proc/{pid}") for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_worker_that_does_not_start_is_trouble_of_the_machine(monkeypatch, caplog):
    monkeypatch.setattr(module, "_START", "raise ImportError('no library')")
    with pytest.raises(OSError, match="does not start") as failed:
        call_in_worker(bad_decoders.read, "a.mp4")
    assert is_machine_trouble(failed.value)
    assert "no library" in caplog.text


def test_a_program_that_is_gone_is_trouble_of_the_machine_and_leaves_nothing_open(monkeypatch):
    # in a thread of its own: it has no worker yet
    monkeypatch.setattr(module.sys, "executable", "/no/such/python")
    before = len(os.listdir("/proc/self/fd"))
    with ThreadPoolExecutor(1) as pool, pytest.raises(OSError, match="does not start") as failed:
        pool.submit(call_in_worker, bad_decoders.read, "a.mp4").result()
    assert is_machine_trouble(failed.value)
    assert len(os.listdir("/proc/self/fd")) <= before
