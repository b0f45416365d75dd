"""Files and folders that appear whole: names that nobody shares, the disk before the rename, what killed jobs left."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from waver.io import atomic
from waver.io.atomic import atomic_folder, atomic_write, temporary_name

DAY_S = 24 * 3600


@pytest.fixture
def done(monkeypatch) -> list[tuple[str, str]]:
    """Every sync and rename, with the name of what it is done to."""
    events: list[tuple[str, str]] = []
    sync, replace = os.fsync, os.replace

    def recorded_sync(file: int) -> None:
        events.append(("sync", Path(os.readlink(f"/proc/self/fd/{file}")).name))
        sync(file)

    def recorded_replace(source: Path, target: Path) -> None:
        events.append(("rename", Path(target).name))
        replace(source, target)

    monkeypatch.setattr("waver.io.atomic.os.fsync", recorded_sync)
    monkeypatch.setattr("waver.io.atomic.os.replace", recorded_replace)
    return events


def test_a_file_reaches_the_disk_before_its_name_and_the_name_before_the_block_ends(tmp_path, done):
    with atomic_write(tmp_path / "made" / "f") as file:
        file.write_text("new")
    assert done == [("sync", file.name), ("rename", "f"), ("sync", "made")]
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["f"]


def test_every_file_and_folder_of_a_store_reaches_the_disk_before_its_name(tmp_path, done):
    with atomic_folder(tmp_path / "s") as folder:
        (folder / "a").mkdir(parents=True)
        for name in ("zarr.json", "a/0", "a/1"):
            (folder / name).write_text(name)
        (folder / "link").symlink_to("/nowhere")
    renamed = done.index(("rename", "s"))
    assert sorted(done[:renamed]) == sorted(("sync", name) for name in ("zarr.json", "0", "1", "a", folder.name))
    assert done[renamed + 1 :] == [("sync", tmp_path.name)]


def test_a_disk_that_is_full_at_the_end_keeps_what_was_there(tmp_path, monkeypatch):
    (tmp_path / "f").write_text("old")
    for name, text in (("s", "old"), ("new", "new")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0").write_text(text)

    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("waver.io.atomic.os.fsync", full)
    with pytest.raises(OSError, match="full"), atomic_write(tmp_path / "f") as file:
        file.write_text("new")
    with pytest.raises(OSError, match="full"), atomic_folder(tmp_path / "s") as folder:
        shutil.copytree(tmp_path / "new", folder)
    assert (tmp_path / "f").read_text() == (tmp_path / "s" / "0").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f", "new", "s"]


def test_a_file_system_that_cannot_sync_folders_does(tmp_path, monkeypatch):
    sync = os.fsync

    def files_alone(file: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{file}"):
            raise OSError(errno.EINVAL, "no folders")
        sync(file)

    monkeypatch.setattr("waver.io.atomic.os.fsync", files_alone)
    with atomic_write(tmp_path / "f") as file:
        file.write_text("new")
    assert (tmp_path / "f").read_text() == "new"


def test_no_two_writers_have_one_temporary_name_and_it_tells_host_and_process(tmp_path):
    names = [temporary_name(tmp_path / "000.zarr").name for _ in range(100)]
    assert len(set(names)) == 100
    host = os.uname().nodename.replace(".", "-")
    assert all(name.startswith(f".000.zarr.{host}-{os.getpid()}-") for name in names)


def test_a_temporary_is_never_listed_as_a_store_or_a_table(tmp_path):
    for name in ("000.zarr", "000.parquet", "82001_Q1.mp4"):
        temporary_name(tmp_path / name).touch()
    assert not [path for form in ("*.zarr", "*.parquet", "*.mp4") for path in tmp_path.glob(form)]


def test_what_killed_writers_of_a_file_left_goes_after_a_day_and_nobody_elses(tmp_path):
    old, young = temporary_name(tmp_path / "f"), temporary_name(tmp_path / "f")
    others = [temporary_name(tmp_path / "f.resume"), tmp_path / ".f.swp", tmp_path / ".f.123"]
    for path in (old, young, *others):
        path.write_text("part")
    for path in (old, *others):
        os.utime(path, (0, os.stat(path).st_mtime - 2 * DAY_S))
    with atomic_write(tmp_path / "f") as file:
        file.write_text("new")
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "f", young, *others])


def test_what_killed_writers_of_a_folder_left_goes_at_once_and_nobody_elses(tmp_path):
    left, *others = temporary_name(tmp_path / "s"), temporary_name(tmp_path / "s.more"), tmp_path / ".s.123.old"
    for path in (left, *others):
        (path / "a").mkdir(parents=True)
    with atomic_folder(tmp_path / "s") as folder:
        folder.mkdir()
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "s", *others])


def test_a_writer_that_ends_while_its_leftovers_are_looked_at_disturbs_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, "_leftovers", lambda target: [tmp_path / ".f.gone"])
    with atomic_write(tmp_path / "f") as file:
        file.write_text("new")
    assert (tmp_path / "f").read_text() == "new"
