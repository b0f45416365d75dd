"""Stores of who left the data set are deleted by ingest, and of nobody else: not where the lists may be incomplete."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from bah_tree import SHARDS, TABLES, put, video_path, write_clip

from waver.datasets.ingest import ingest
from waver.errors import WaverError
from waver.io.tables import SET_ASIDE, read_table

GONE = "82568"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "resources/bah"


@pytest.fixture
def run(data):
    def _run(root, reader="bah", recorded=True):
        paths = {name: data / f"ingest/{name}.parquet" for name in TABLES}
        ingest(root, "auto", SHARDS, paths, data / "ingest/shards", data / "ingest/probes.json", recorded, reader)
        return [row["item"] for row in read_table(paths["set_aside"], SET_ASIDE) if "no list" in row["reason"]]

    return _run


@pytest.fixture
def stores(data):
    """A store of both answers of three participants in two features, one a folder and one a file; one of a shard."""
    for who in ("82567", "82568", "82569"):
        for question in (1, 2):
            put(data / f"features/faces/stores/{who}/{who}_Q{question}.zarr/zarr.json", "{}")
            put(data / f"features/audio/stores/{who}/{who}_Q{question}.zarr", "zip")
    put(data / "features/answers/stores/000.zarr/zarr.json", "{}")
    put(data / "features/faces/000.parquet", "index")

    def there():
        return {str(path.relative_to(data / "features")) for path in (data / "features").rglob("*") if path.is_file()}

    return there


def leave(release, root, who=GONE):
    for split, lines in release.splits.items():
        kept = [line for line in lines if f"/{who}_" not in line]
        put(root / f"split/{split}.txt", "".join(f"{line}\n" for line in kept))


def test_who_left_is_deleted_and_nobody_else(run, release, clip, tmp_path, stores, caplog):
    root, before = release.write(tmp_path / "root", clip), stores()
    assert run(root) == []
    assert stores() == before
    assert "deleted" not in caplog.text
    leave(release, root)
    assert run(root) == []
    assert before - stores() == {path for path in before if GONE in path}
    assert not (tmp_path / f"resources/bah/features/faces/stores/{GONE}").exists()
    assert f"their 2 stores are deleted: {GONE}" in caplog.text


def test_a_video_that_left_is_deleted(run, release, clip, tmp_path, stores):
    root, before = release.write(tmp_path / "root", clip), stores()
    put(root / "split/val.txt", f"{release.splits['val'][0]}\n")
    run(root)
    assert before - stores() == {path for path in before if "82568_Q2" in path}


def test_a_listed_video_whose_file_is_gone_or_broken_has_not_left(run, release, clip, tmp_path, stores):
    root, before = release.write(tmp_path / "root", clip), stores()
    (root / video_path(GONE, 1)).unlink()
    (root / video_path(GONE, 2)).write_bytes(b"broken")
    run(root)
    assert stores() == before


def closed(root, monkeypatch):
    look = os.scandir

    def scandir(folder):
        if str(folder).endswith("Videos/82569"):
            raise PermissionError(13, "Permission denied")
        return look(folder)

    monkeypatch.setattr(os, "scandir", scandir)


def odd_line(root, line):
    with open(root / "split/train.txt", "a") as file:
        file.write(line)


INCOMPLETE = {
    "a split is not there": lambda root, _: (root / "split/val.txt").unlink(),
    "a folder cannot be read": closed,
    "the videos are not mounted": lambda root, _: shutil.move(root / "Videos", root.parent / "Videos"),
    "a line cannot be read": lambda root, _: odd_line(root, "Videos/?.mp4,1,well\n"),
    "most are gone": lambda root, _: [put(root / f"split/{split}.txt", "") for split in ("val", "test")],
}


@pytest.mark.parametrize("name", INCOMPLETE)
def test_nothing_is_deleted_by_incomplete_lists(run, release, clip, tmp_path, stores, monkeypatch, caplog, name):
    root, before = release.write(tmp_path / "root", clip), stores()
    leave(release, root)
    INCOMPLETE[name](root, monkeypatch)
    assert GONE in run(root)
    assert stores() == before
    assert "are kept" in caplog.text


def test_who_has_a_line_that_cannot_be_used_has_not_left(run, release, clip, tmp_path, stores):
    root, before = release.write(tmp_path / "root", clip), stores()
    leave(release, root)
    odd_line(root, f"{video_path(GONE, 1)},2,well\n")
    assert run(root) == []
    assert stores() == before


@pytest.mark.parametrize("spoil", [shutil.rmtree, lambda root: [shutil.rmtree(root), root.mkdir()]])
def test_a_root_that_is_gone_or_empty_deletes_nothing(run, release, clip, tmp_path, stores, spoil):
    root, before = release.write(tmp_path / "root", clip), stores()
    spoil(root)
    with pytest.raises(WaverError):
        run(root)
    assert stores() == before


def test_who_left_a_folder(run, tmp_path, data):
    root = tmp_path / "root"
    for number, name in enumerate("abc"):
        write_clip(root / f"{name}.mp4", 24 + number)
        put(data / f"features/faces/stores/{name * 3}/{name}.zarr", "zip")
    head, lines = "participant,video,split\n", [f"{name * 3},{name}.mp4,train\n" for name in "abc"]
    put(root / "videos.csv", head + "".join(lines[:2]) + "ccc,,train\n")
    run(root, "folder")
    assert (data / "features/faces/stores/ccc/c.zarr").exists()
    for broken in ('"ccc,c.mp4,train\n', "\xe9cc,c.mp4,train\n"):
        (root / "videos.csv").write_bytes((head + "".join(lines[:2]) + broken).encode("latin-1"))
        assert run(root, "folder") == ["ccc"]
    assert (data / "features/faces/stores/ccc/c.zarr").exists()
    put(root / "videos.csv", head + "".join(lines[:2]))
    run(root, "folder")
    assert sorted(path.name for path in (data / "features/faces/stores").iterdir()) == ["aaa", "bbb"]


def test_the_purpose_of_a_run_makes_nobody_leave(release, clip, tmp_path, data, stores):
    release.metadata[GONE]["Use in challenges"] = "No"
    root, before = release.write(tmp_path / "root", clip), stores()
    paths = {name: data / f"ingest/{name}.parquet" for name in TABLES}
    ingest(root, "auto", SHARDS, paths, data / "ingest/shards", data / "ingest/p.json", purpose="challenge")
    assert stores() == before
