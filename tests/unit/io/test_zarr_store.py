import errno
import json
import os
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest

from checkout import ROOT
from waver.errors import ExcludedItem, WaverError
from waver.io import zarr_store
from waver.io.atomic import temporary_name
from waver.io.shard_job import run_shard, store_path
from waver.io.store_file import FileReader
from waver.io.tables import FEATURE_INDEX, SET_ASIDE, read_metadata, read_table, write_table
from waver.io.zarr_store import check_store, new_store, open_store, read_store, store_key

VIDEOS = [{"video": f"9000{i}_Q1", "participant": f"9000{i}", "checksum": str(i)} for i in range(3)]


def three_frames(video, writer):
    writer.put("frame", np.arange(3, dtype=np.int32))
    return 3, "made"


def test_arrays_come_back_as_written(tmp_path):
    values = {"a": np.arange(10, dtype=np.float32).reshape(5, 2), "empty": np.zeros((0, 4), np.float32)}
    with new_store(tmp_path / "s.zarr", "k") as writer:
        for name, array in values.items():
            writer.put(name, array)
    for name, array in read_store(tmp_path / "s.zarr").items():
        np.testing.assert_array_equal(array, values[name])
        assert array.dtype == values[name].dtype


@pytest.mark.parametrize("rows", [0, 1, 999, 1000, 1001, 5000])
def test_a_large_array_is_several_members(tmp_path, monkeypatch, rows):
    monkeypatch.setattr(zarr_store, "_CHUNK_BYTES", 100 * 8)
    monkeypatch.setattr(zarr_store, "_MEMBER_BYTES", 1000 * 8)
    values = np.random.default_rng(0).standard_normal((rows, 2)).astype(np.float32)
    with new_store(tmp_path / "a.zarr", "k") as writer:
        writer.put("x", values)
    assert np.array_equal(read_store(tmp_path / "a.zarr")["x"], values)
    assert np.array_equal(open_store(tmp_path / "a.zarr")["x"][rows // 2 : rows // 2 + 300], values[rows // 2 :][:300])
    check_store(tmp_path / "a.zarr")
    members = [name for name in FileReader(tmp_path / "a.zarr").names() if name.startswith("x/c")]
    assert len(members) == -(-rows // 1000)


def test_what_writing_takes_does_not_grow(tmp_path, monkeypatch):
    monkeypatch.setattr(zarr_store, "_MEMBER_BYTES", 1 << 22)
    peaks = []
    for rows in (1 << 15, 3 << 15):
        values = np.zeros((rows, 64), np.float32)
        tracemalloc.start()
        with new_store(tmp_path / f"{rows}.zarr", "k") as writer:
            writer.put("x", values)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0] < 20e6, "three times as many rows"


def test_jpeg_frames_are_close_and_small(tmp_path):
    y, x = np.mgrid[:64, :64]
    images = np.stack([np.stack([x * 4, y * 4, (x + y + 9 * t) % 256], -1) for t in range(50)]).astype(np.uint8)
    with new_store(tmp_path / "s.zarr", "k") as writer:
        frames = writer.images("image", 50, 64, quality=95)
        frames[:30], frames[30:] = images[:30], images[30:]
    back = read_store(tmp_path / "s.zarr")["image"]
    assert np.abs(back[0].astype(int) - images[0]).mean() < 4
    assert (tmp_path / "s.zarr").stat().st_size < images.nbytes / 3


def test_a_store_that_fails_half_way_leaves_nothing(tmp_path):
    def fail(video, writer):
        writer.put("a", np.zeros(3))
        raise ExcludedItem("broken off", "none")

    run_shard(VIDEOS[:1], tmp_path / "s", tmp_path / "i.parquet", {}, fail)
    assert list((tmp_path / "s").rglob("*.zarr")) == []
    assert list((tmp_path / "s" / "90000").iterdir()) == []


def test_a_store_that_fails_half_way_keeps_the_old_one(tmp_path):
    with new_store(tmp_path / "s.zarr", "old") as writer:
        writer.put("a", np.zeros(3))
    with pytest.raises(RuntimeError), new_store(tmp_path / "s.zarr", "new"):
        raise RuntimeError
    assert store_key(tmp_path / "s.zarr") == "old"


def test_what_a_killed_writer_left_is_removed(tmp_path):
    left, other = temporary_name(tmp_path / "s.zarr"), temporary_name(tmp_path / "other.zarr")
    for path in (left, other):
        (path / "a").mkdir(parents=True)
    with new_store(tmp_path / "s.zarr", "k") as writer:
        writer.put("a", np.zeros(3))
    assert sorted(path.name for path in tmp_path.iterdir()) == [other.name, "s.zarr"]


def test_a_table_that_cannot_be_put_in_place_leaves_nothing(tmp_path):
    (tmp_path / "t").mkdir()
    with pytest.raises(IsADirectoryError):
        write_table(tmp_path / "t", [], SET_ASIDE)
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


def test_an_unfinished_store_is_refused(tmp_path):
    with pytest.raises(WaverError, match="run the rule"):
        read_store(tmp_path / "none.zarr")


def test_two_writes_of_a_table_give_the_same_bytes(tmp_path):
    row = {"stage": "ingest", "item": "x", "participant": None, "path": None, "reason": "r", "remedy": "m"}
    for name in ("a", "b"):
        write_table(tmp_path / name, [row], SET_ASIDE, {"seed": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert read_table(tmp_path / "a", SET_ASIDE) == [row]
    assert read_metadata(tmp_path / "a") == {"seed": 1}


def test_a_table_with_other_columns_is_refused(tmp_path):
    write_table(tmp_path / "t", [{"x": 1}], pa.schema([pa.field("x", pa.int8())]))
    with pytest.raises(WaverError, match="other columns"):
        read_table(tmp_path / "t", SET_ASIDE)


def test_a_shard_goes_on_after_a_bad_video_and_says_why(tmp_path):
    def compute(video, writer):
        if video["participant"] == "90001":
            raise ExcludedItem("no face was found", "film the face")
        if video["participant"] == "90002":
            raise ZeroDivisionError("division by zero")
        return three_frames(video, writer)

    run_shard(VIDEOS, tmp_path / "s", tmp_path / "i.parquet", {}, compute)
    rows = read_table(tmp_path / "i.parquet", FEATURE_INDEX)
    assert [row["status"] for row in rows] == ["ok", "set_aside", "set_aside"]
    assert rows[1]["reason"] == "no face was found"
    assert "ZeroDivisionError" in rows[2]["reason"]


def test_a_second_run_computes_only_what_does_not_fit(tmp_path):
    made = []

    def compute(video, writer):
        made.append(video["video"])
        return three_frames(video, writer)

    def run(videos, config):
        made.clear()
        run_shard(videos, tmp_path / "s", tmp_path / "i.parquet", {"config": config}, compute)
        return list(made)

    assert len(run(VIDEOS, 1)) == 3
    index = (tmp_path / "i.parquet").read_bytes()
    assert run(VIDEOS, 1) == []
    assert (tmp_path / "i.parquet").read_bytes() == index
    assert run([*VIDEOS[:2], {**VIDEOS[2], "checksum": "new"}], 1) == ["90002_Q1"]
    assert len(run(VIDEOS, 2)) == 3


@pytest.mark.parametrize(
    "trouble",
    [OSError(errno.ENOSPC, "full"), OSError(errno.ESTALE, "stale"), OSError(errno.EMFILE, "many"), MemoryError()],
    ids=repr,
)
def test_trouble_of_the_machine_stops_the_job_and_sets_nobody_aside(tmp_path, trouble):
    def compute(video, writer):
        raise trouble

    with pytest.raises(type(trouble)):
        run_shard(VIDEOS, tmp_path / "s", tmp_path / "i.parquet", {}, compute)
    assert not (tmp_path / "i.parquet").exists()


def test_a_full_gpu_stops_the_job_and_sets_nobody_aside(tmp_path):
    def compute(video, writer):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")

    with pytest.raises(RuntimeError, match="out of memory"):
        run_shard(VIDEOS, tmp_path / "s", tmp_path / "i.parquet", {}, compute)
    assert not (tmp_path / "i.parquet").exists()


def test_a_fault_of_every_video_is_a_fault_of_the_machine(tmp_path):
    def compute(video, writer):
        raise ImportError("libcuda.so is missing")

    with pytest.raises(WaverError, match=r"none of the 3 videos.*unexpected ImportError"):
        run_shard(VIDEOS, tmp_path / "s", tmp_path / "i.parquet", {}, compute)


WORKER = """
import sys, time, json
import numpy as np
from waver.io.shard_job import run_shard
videos, stores, index, log = json.loads(sys.argv[1]), *sys.argv[2:5]
def compute(video, writer):
    with open(log, "a") as stream:
        stream.write(video["video"] + "\\n")
    writer.put("frame", np.arange(3))
    time.sleep(0.6)
    return 3, ""
run_shard(videos, stores, index, {}, compute)
"""


def worker(tmp_path):
    arguments = [json.dumps(VIDEOS), str(tmp_path / "s"), str(tmp_path / "i.parquet"), str(tmp_path / "log")]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen([sys.executable, "-c", WORKER, *arguments], env=environment)


def wait_for_lines(path, count):
    deadline = time.monotonic() + 30
    while not path.exists() or len(path.read_text().splitlines()) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_a_killed_job_resumes_after_its_last_whole_video(tmp_path):
    process = worker(tmp_path)
    wait_for_lines(tmp_path / "log", 2)
    process.kill()
    process.wait()
    assert store_key(store_path(tmp_path / "s", VIDEOS[0])) is not None
    assert store_key(store_path(tmp_path / "s", VIDEOS[1])) is None
    assert not (tmp_path / "i.parquet").exists()
    assert worker(tmp_path).wait() == 0
    assert (tmp_path / "log").read_text().split() == ["90000_Q1", "90001_Q1", "90001_Q1", "90002_Q1"]


@pytest.mark.slow
def test_two_jobs_on_one_shard_never_write_together(tmp_path):
    first, second = worker(tmp_path), worker(tmp_path)
    assert [first.wait(), second.wait()] == [0, 0]
    assert sorted((tmp_path / "log").read_text().split()) == ["90000_Q1", "90001_Q1", "90002_Q1"]
