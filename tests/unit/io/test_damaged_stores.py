"""Stores are one file; whatever happens to it is seen before a number is made of it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tomllib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from changed_stores import change_byte
from checkout import ROOT
from waver.cluster.recover import forget_what_is_gone
from waver.errors import DamagedStore, MissingStore
from waver.io.shard_job import run_shard, store_path
from waver.io.store_file import FileReader, FileWriter
from waver.io.zarr_store import SHARD_ROWS, check_store, new_store, open_store, read_store, store_attributes, store_key

VIDEO = {"video": "90001_Q1", "participant": "90001", "checksum": "1"}


def arrays():
    y, x = np.mgrid[:16, :16]
    image = np.stack([np.stack([x * 9, y * 9, (x + 5 * t) % 256], -1) for t in range(20)]).astype(np.uint8)
    zeros, text = np.zeros((20, 3), np.float32), np.arange(12, dtype=np.float32).reshape(4, 3)
    return {"image": image, "label": np.zeros(20, np.uint8), "feature": zeros, "text": text, "none": np.zeros((0, 4))}


def write(path: Path, key: str = "k") -> Path:
    values = arrays()
    with new_store(path, key) as writer:
        writer.images("image", 20, 16, 95)[:] = values.pop("image")
        for name, array in values.items():
            writer.put(name, array)
        writer.attributes.update(words=["no", "œuvre"])
    return path


def read_all(path: Path):
    group = open_store(path)
    return {name: group[name][:] for name in group.array_keys()} | {"some": group["image"][3:5], **group.attrs}


def test_a_store_is_one_file_and_the_same_bytes_each_time(tmp_path):
    first, second = write(tmp_path / "a/s.zarr"), write(tmp_path / "b/s.zarr")
    assert first.read_bytes() == second.read_bytes()
    assert os.listdir(tmp_path / "a") == ["s.zarr"]
    for name, values in arrays().items():
        if name != "image":
            np.testing.assert_array_equal(read_store(first)[name], values)


TOOL = """
import sys, warnings
warnings.simplefilter("error")
import zarr
group = zarr.open_group(zarr.storage.ZipStore(sys.argv[1], mode="r"), mode="r")
assert "waver.io.zarr_store" not in sys.modules
print(sorted(group.array_keys()), group.attrs["words"], group["text"][:].sum(), group["image"][3].mean() > 0)
"""


@pytest.mark.slow
def test_other_tools_open_it_by_the_codecs_entry_point(tmp_path):
    record = tmp_path / "site/waver-0.dist-info"
    record.mkdir(parents=True)
    entries = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["zarr.codecs"]
    lines = ["[zarr.codecs]", *(f"{name} = {target}" for name, target in entries.items())]
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: waver\nVersion: 0\n")
    (record / "entry_points.txt").write_text("\n".join(lines) + "\n")
    environment = os.environ | {"PYTHONPATH": f"{tmp_path / 'site'}{os.pathsep}{ROOT / 'src'}"}
    command = [sys.executable, "-c", TOOL, str(write(tmp_path / "s.zarr"))]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert answer == "['feature', 'image', 'label', 'none', 'text'] ['no', 'œuvre'] 66.0 True\n"


@pytest.mark.slow
def test_no_byte_may_change_unseen(tmp_path):
    store = write(tmp_path / "s.zarr")
    data, want = store.read_bytes(), read_all(store)
    size = len(data)
    unseen = 0
    tried = sorted({*range(0, size, 331), *range(size - 400, size, 23)})
    for at in tried:
        store.write_bytes(data)
        change_byte(store, at)
        try:
            found = read_all(store)
        except DamagedStore:
            assert not store.exists()
            continue
        # fields that nobody reads: the versions in a member's own header
        unseen += 1
        assert all(np.array_equal(found[name], want[name]) for name in want)
    assert unseen < len(tried) / 10


@pytest.mark.parametrize("left", [0, 1, 30, 0.3, 0.9, -1, -40])
def test_a_store_that_is_cut_is_damaged(tmp_path, left):
    store = write(tmp_path / "stores/9/s.zarr")
    size = store.stat().st_size
    os.truncate(store, int(left * size) if isinstance(left, float) else left % size)
    assert store_attributes(store) == {}
    with pytest.raises(DamagedStore, match=r"a store below .*stores is damaged \(it.*\); run the rule"):
        open_store(store)


@pytest.mark.parametrize("name", ["feature/c/0/0", "feature/zarr.json"])
def test_a_store_without_a_member_is_damaged(tmp_path, name):
    store = write(tmp_path / "s.zarr")
    with zipfile.ZipFile(store) as whole, zipfile.ZipFile(tmp_path / "other", "w") as other:
        for member in whole.infolist():
            if member.filename != name:
                other.writestr(member, whole.read(member))
        other.comment = whole.comment
    os.replace(tmp_path / "other", store)
    with pytest.raises(DamagedStore):
        read_store(store)


def test_what_is_appended_to_a_store_is_seen(tmp_path):
    store = write(tmp_path / "s.zarr")
    with open(store, "ab") as stream:
        stream.write(b"\0" * 512)
    with pytest.raises(DamagedStore):
        check_store(store)


def test_a_whole_store_passes_and_a_missing_one_is_missing(tmp_path):
    check_store(write(tmp_path / "s.zarr"))
    with pytest.raises(MissingStore, match="missing"):
        check_store(tmp_path / "none.zarr")


@pytest.mark.slow
def test_threads_and_forked_processes_read_the_same_open_store(tmp_path):
    store = write(tmp_path / "s.zarr")
    group = open_store(store)
    image, want = group["image"], group["image"][:]
    child = os.fork()
    with ThreadPoolExecutor(4) as pool:
        same = all(pool.map(lambda t: np.array_equal(image[t % 19 : t % 19 + 2], want[t % 19 : t % 19 + 2]), range(60)))
    if not child:
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert same
    again = pickle.loads(pickle.dumps(image))  # as a worker process that is started anew gets it
    np.testing.assert_array_equal(again[2:4], want[2:4])


@pytest.mark.slow
def test_no_file_stays_open(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    kept = [open_store(write(tmp_path / f"{number}.zarr"))["image"] for number in range(20)]
    assert all(array[0].any() for array in kept)
    assert len(os.listdir("/proc/self/fd")) < before + 15


def test_a_store_that_was_written_again_is_read_and_stays(tmp_path):
    store = write(tmp_path / "s.zarr")
    group = open_store(store)
    with new_store(store, "k") as writer:
        writer.put("more", np.arange(1000))
        writer.images("image", 20, 16, 95)[:] = arrays()["image"]
        for name in ("label", "feature", "text", "none"):
            writer.put(name, arrays()[name] + 1)
    assert group["label"][:].tolist() == [1] * 20
    assert store.exists()


def test_a_folder_of_an_earlier_version_is_made_again_as_a_file(tmp_path):
    path = store_path(tmp_path / "stores", VIDEO)
    (path / "feature/c").mkdir(parents=True)
    (path / "zarr.json").write_text('{"attributes": {"key": "k"}}')
    (path.parent / f".{path.name}.host-1-{'0' * 16}/a").mkdir(parents=True)
    assert store_key(path) is None
    with pytest.raises(MissingStore, match="missing"):
        read_store(path)
    write(path)
    assert os.listdir(path.parent) == [path.name]
    assert path.is_file()


def damage_by_hand(store: Path) -> None:
    change_byte(store, store.read_bytes().index(b"feature/c/0/0") + 40)


def test_the_same_command_makes_a_damaged_store_again(tmp_path):
    stores, index = tmp_path / "faces/stores", tmp_path / "faces/000.parquet"
    made, second = [], {**VIDEO, "video": "90001_Q2", "checksum": "2"}

    def compute(video, writer):
        made.append(video["video"])
        writer.put("feature", np.ones((20, 3), np.float32))
        return 20, ""

    def command():
        """What a run does: look for what is gone, make indexes that are not there, read."""
        forget_what_is_gone([index])
        if not index.exists():
            run_shard([VIDEO, second], stores, index, {}, compute)
        return read_store(store_path(stores, VIDEO), "feature")["feature"].sum()

    assert command() == 60
    damage_by_hand(store_path(stores, VIDEO))
    with pytest.raises(DamagedStore, match=rf"{index} lists is damaged \(.*\); it was removed: run again"):
        command()
    made.clear()
    assert command() == 60
    assert made == ["90001_Q1"]
    os.truncate(store_path(stores, VIDEO), 0)  # seen before anything reads it
    assert command() == 60
    own, other, excluded = store_path(stores, VIDEO), store_path(stores, second), tmp_path / "aside"
    for old, new in ((own, excluded), (other, own), (excluded, other)):  # whole, and each in the other's place
        old.rename(new)
    made.clear()
    assert command() == 60
    assert made == ["90001_Q1", "90001_Q2"]
    own.unlink()
    own.symlink_to(own)
    assert command() == 60
    assert not own.is_symlink()


def test_pictures_that_are_written_again_leave_nothing_of_the_first(tmp_path):
    def store(name, *fills):
        with new_store(tmp_path / name, "k") as writer:
            image = writer.images("image", SHARD_ROWS + 9, 8, 95)
            for number, value in enumerate(fills):
                if number:
                    writer.clear()
                for start in (0, SHARD_ROWS):
                    image[start : start + SHARD_ROWS] = np.uint8(value)
            writer.put("label", np.ones(3))
        return tmp_path / name

    assert store("twice.zarr", 9, 200).read_bytes() == store("once.zarr", 200).read_bytes()
    check_store(tmp_path / "twice.zarr")


@pytest.mark.parametrize("size", [900, 980, 1100])  # zipfile keeps 5 % below its limit for what compression may add
def test_members_of_nearly_two_gigabytes_are_whole(tmp_path, monkeypatch, size):
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)
    writer = FileWriter(tmp_path / "f.zip")
    writer.add("a", bytes(size))
    writer.add("b", b"next")
    writer.close()
    reader = FileReader(tmp_path / "f.zip")
    reader.check()
    assert (reader.read("a"), reader.read("b")) == (bytes(size), b"next")


def test_shards_written_in_parts_hold_what_was_written_last(tmp_path):
    with new_store(tmp_path / "s.zarr", "k") as writer:
        image = writer.images("image", SHARD_ROWS + 9, 8, 95)
        for start in (0, 100, SHARD_ROWS, SHARD_ROWS + 4):
            image[start : start + 100] = np.uint8(start % 251)
    middle = read_store(tmp_path / "s.zarr")["image"][:, 4, 4, 0]
    last = [0, 100, SHARD_ROWS % 251, (SHARD_ROWS + 4) % 251]
    assert middle[[50, 150, SHARD_ROWS + 2, SHARD_ROWS + 8]].tolist() == last
    check_store(tmp_path / "s.zarr")
