"""What a second ingest reads and writes."""

import os
import time

import pytest
from bah_tree import SHARDS, by_video, put, video_path

import waver.datasets.video_files
from waver.datasets.sharding import shard_of
from waver.datasets.video_probe import probe_video
from waver.io import tables as schemas
from waver.io.tables import read_table


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_every_shard_has_its_tables_and_a_new_video_changes_one(run, release, clip, tmp_path):
    root = release.write(tmp_path / "root", clip)
    whole = run(root)
    before = contents(tmp_path / "out/shards")
    assert set(before) == {
        f"{shard:03d}.{name}.parquet"
        for shard in range(SHARDS)
        for name in ("videos", "answers", "segments", "transcripts")
    }
    for name in ("videos", "answers"):
        merged = [
            row
            for shard in range(SHARDS)
            for row in read_table(tmp_path / f"out/shards/{shard:03d}.{name}.parquet", getattr(schemas, name.upper()))
        ]
        assert by_video(merged) == by_video(whole[name])
    for path in root.rglob("*.mp4"):
        os.utime(path, ns=(1, 1))
    run(root)
    assert contents(tmp_path / "out/shards") == before
    release.add("train", video_path("82601", 3), (2, 9))
    run(release.write(root, clip))
    after = contents(tmp_path / "out/shards")
    touched = {name.split(".")[0] for name in before if before[name] != after[name]}
    assert touched == {shard_of("82601", SHARDS)}


def test_fewer_shards_leave_no_old_tables(run, release, clip, tmp_path):
    root = release.write(tmp_path / "root", clip)
    run(root, shards=4)
    run(root, shards=2)
    assert {name[:3] for name in contents(tmp_path / "out/shards")} == {"000", "001"}


def test_an_unchanged_file_is_not_read_again(run, release, clip, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(
        waver.datasets.video_files, "probe_video", lambda path: [read.append(path.name), probe_video(path)][1]
    )
    root = release.write(tmp_path / "root", clip)
    first = run(root)
    assert len(read) == 6
    assert run(root) == first
    assert len(read) == 6
    os.utime(root / video_path("82568", 1), ns=(time.time_ns(), 1))
    run(root)
    assert read[6:] == [video_path("82568", 1).rpartition("/")[2]]


def test_new_probing_code_looks_again_but_sums_nothing_up(run, release, clip, tmp_path, monkeypatch):
    root = release.write(tmp_path / "root", clip)
    first = run(root)
    monkeypatch.setattr(waver.datasets.video_files, "code_version", lambda *modules: "other")
    monkeypatch.setattr(waver.datasets.video_files, "file_sha256", None)
    assert run(root) == first


def test_a_damaged_cache_costs_time_only(run, release, clip, tmp_path):
    root = release.write(tmp_path / "root", clip)
    first = run(root)
    put(tmp_path / "out/cache.json", '{"files": {"Vid')
    assert run(root) == first


def test_the_disks_failure_is_not_the_videos(run, release, clip, tmp_path, monkeypatch):
    def fails(path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(waver.datasets.video_files, "file_sha256", fails)
    with pytest.raises(OSError, match="Input/output error"):
        run(release.write(tmp_path / "root", clip))
