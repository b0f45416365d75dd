"""Stores, packs and models that were deleted apart from what lists them."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from synthetic import write_packs
from waver.assets.manifest import Installed, installed
from waver.cluster.recover import forget_what_is_gone, missing
from waver.errors import MissingStore, WaverError
from waver.io.shard_job import run_shard, store_path
from waver.io.tables import FEATURE_INDEX, SET_ASIDE, read_arrow, read_table, write_arrow, write_table
from waver.io.zarr_store import new_store, read_attributes, read_store
from waver.provenance import file_sha256

VIDEOS = [{"video": f"9000{i}_Q1", "participant": f"9000{i}", "checksum": str(i)} for i in range(3)]


@pytest.fixture
def faces(tmp_path) -> Path:
    """Index of a shard whose last video was set aside."""

    def compute(video, writer):
        if video is VIDEOS[2]:
            raise ValueError
        writer.put("frame", np.arange(3))
        return 3, ""

    run_shard(VIDEOS, tmp_path / "faces/stores", tmp_path / "faces/007.parquet", {}, compute)
    return tmp_path / "faces/007.parquet"


def store(index: Path, number: int) -> Path:
    return store_path(index.with_name("stores"), VIDEOS[number])


def test_nothing_is_missing_where_everything_is_there(faces, tmp_path):
    indexes, _ = write_packs(tmp_path / "align")
    assert [missing(file) for file in (faces, *indexes)] == [[]] * 3
    assert not forget_what_is_gone([faces, *indexes])
    assert all(file.exists() for file in (faces, *indexes))


def test_an_index_is_forgotten_with_one_store_of_it_and_made_again_with_that_one_alone(faces, caplog):
    store(faces, 1).unlink()
    assert missing(faces) == [store(faces, 1)]
    assert forget_what_is_gone([faces])
    assert not faces.exists()
    assert f"{faces} lists stores or files that are missing (1)" in caplog.text
    assert "90001" not in caplog.text  # the head process logs to the console


def test_all_stores_of_a_shard_may_be_gone(faces):
    shutil.rmtree(faces.with_name("stores"))
    assert missing(faces) == [store(faces, 0), store(faces, 1)]


def test_a_store_that_lost_its_end_is_gone(faces):
    os.truncate(store(faces, 0), store(faces, 0).stat().st_size - 1)
    assert missing(faces) == [store(faces, 0)]


def test_a_pack_that_is_gone_or_another_is_missed(tmp_path):
    (first, second), packs = write_packs(tmp_path / "align")
    (packs / "000.zarr").unlink()
    with new_store(packs / "001.zarr", "another"):
        pass
    assert missing(first) == [packs / "000.zarr"]
    assert missing(second) == [packs / "001.zarr"]


def test_the_store_of_a_shards_answers_is_missed(faces, tmp_path):
    index = tmp_path / "answers/007.parquet"
    write_table(index, read_table(faces, FEATURE_INDEX), FEATURE_INDEX)
    assert missing(index) == [tmp_path / "answers/stores/007.zarr"]
    with new_store(tmp_path / "answers/stores/007.zarr", "k"):
        pass
    assert missing(index) == []


def test_a_model_is_forgotten_with_one_of_its_files_and_nobody_uses_it(tmp_path):
    about = {"name": "m", "role": "r", "set": "embedded", "title": "t", "licence": "l"}
    for name in ("a.bin", "b.bin"):
        (tmp_path / name).touch()
    files = {name: file_sha256(tmp_path / name) for name in ("a.bin", "b.bin")}
    record = Installed(**about, folder=str(tmp_path), files=files)
    (tmp_path / "asset.json").write_text(record.model_dump_json())
    assert missing(tmp_path / "asset.json") == []
    assert installed(tmp_path / "asset.json") == record
    (tmp_path / "b.bin").unlink()
    assert missing(tmp_path / "asset.json") == [tmp_path / "b.bin"]
    with pytest.raises(WaverError, match=rf"b\.bin is gone; delete {tmp_path}/asset\.json and run again"):
        installed(tmp_path / "asset.json")


def test_other_files_list_nothing(tmp_path):
    write_table(tmp_path / "set_aside.parquet", [], SET_ASIDE)
    (tmp_path / "empty.parquet").touch()
    (tmp_path / "model.pt").touch()
    assert [missing(tmp_path / n) for n in ("set_aside.parquet", "empty.parquet", "model.pt", "none.parquet")] == [
        []
    ] * 4


@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: data[:100], lambda data: flipped(data, len(data) // 3)]
)
def test_a_damaged_table_is_made_again(tmp_path, caplog, damage):
    table = tmp_path / "set_aside.parquet"
    write_table(table, [dict.fromkeys(SET_ASIDE.names, "cut short")] * 50, SET_ASIDE)
    assert not forget_what_is_gone([table, tmp_path / "none.parquet"])
    table.write_bytes(damage(table.read_bytes()))
    assert forget_what_is_gone([table])
    assert not table.exists()
    assert "is damaged, and is made again" in caplog.text


def test_every_changed_byte_of_a_table_is_seen(tmp_path):
    """Without checksums nine in ten give other numbers, and no error."""
    numbers = pa.table({"a": np.random.default_rng(0).normal(size=500)})
    write_arrow(tmp_path / "a.parquet", numbers)
    data = (tmp_path / "a.parquet").read_bytes()
    for place in range(0, len(data), 41):
        (tmp_path / "b.parquet").write_bytes(flipped(data, place))
        with contextlib.suppress(WaverError):
            assert read_arrow(tmp_path / "b.parquet", numbers.schema).equals(numbers)


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 16]) + data[place + 1 :]


def test_who_reads_a_store_that_is_gone_says_which_index_to_delete(faces, tmp_path):
    shutil.copy(faces, faces.with_name("003.parquet"))
    write_table(faces.with_name("003.parquet"), [], FEATURE_INDEX)
    shutil.rmtree(faces.with_name("stores"))
    for read in (read_store, read_attributes):
        with pytest.raises(MissingStore, match=f"{faces}.*delete {faces} and run again"):
            read(store(faces, 1))
    (first, _), packs = write_packs(tmp_path / "align")
    shutil.rmtree(packs)
    with pytest.raises(MissingStore, match=f"delete {first} and run again"):
        read_store(packs / "000.zarr")


def test_a_store_that_is_gone_is_named_in_the_jobs_log_and_nowhere_else(faces, tmp_path, caplog):
    caplog.set_level("INFO")
    shutil.rmtree(faces.with_name("stores"))
    faces.rename(faces.with_name("008.parquet"))
    actual = []
    for path in (store(faces, 1), store(tmp_path / "none/007.parquet", 1), tmp_path / "90001/90001_Q1.zarr"):
        with pytest.raises(MissingStore) as problem:
            read_store(path)
        actual.append(str(problem.value))
        assert str(path) in caplog.text
    assert all("90001" not in sentence for sentence in actual)  # Snakemake's console shows them
    assert f"delete {faces.with_name('008.parquet')}" in actual[0]
    assert f"below {tmp_path / 'none/stores'}" in actual[1]


def test_a_video_is_not_set_aside_because_somebody_deleted_what_it_is_made_from(faces, tmp_path):
    store(faces, 1).unlink()

    def compute(video, writer):
        return len(read_store(store_path(faces.with_name("stores"), video))["frame"]), ""

    index = tmp_path / "visual/007.parquet"
    with pytest.raises(MissingStore, match=f"delete {faces} and run again"):
        run_shard(VIDEOS[:2], tmp_path / "visual/stores", index, {}, compute)
    assert not index.exists()
