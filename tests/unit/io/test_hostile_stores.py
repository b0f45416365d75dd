"""Stores that nobody at the site has written: of a few kilobytes, and whole, but of arrays without end."""

import io
import json
import struct
import zlib

import numpy as np
import pytest
from numcodecs.zstd import Zstd
from PIL import Image

from waver.errors import DamagedStore
from waver.io.store_file import FileWriter
from waver.io.zarr_store import new_store, read_store, store_attributes

GROUP = {"zarr_format": 3, "node_type": "group", "attributes": {"key": "k"}}
PLAIN = [{"name": "bytes"}, {"name": "zstd", "configuration": {"level": 3, "checksum": True}}]
JPEG = [{"name": "waver.jpeg", "configuration": {"quality": 95, "checksum": True}}]


def _array(shape, chunk, codecs=PLAIN, kind="uint8"):
    return {
        "zarr_format": 3, "node_type": "array", "shape": shape, "data_type": kind, "fill_value": 0, "codecs": codecs,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}}, "attributes": {},
    }  # fmt: skip


def _sharded(inner):
    codecs = {"chunk_shape": inner, "codecs": PLAIN, "index_codecs": [{"name": "bytes"}, {"name": "crc32c"}]}
    return [{"name": "sharding_indexed", "configuration": codecs | {"index_location": "end"}}]


def _zeros(count):
    return Zstd(level=1, checksum=True).encode(bytes(count))


def _picture():
    stream = io.BytesIO()
    Image.new("RGB", (16, 16)).save(stream, "JPEG")
    data = bytearray(stream.getvalue())
    head = data.find(b"\xff\xc0") + 5
    data[head : head + 4] = struct.pack(">HH", 20000, 20000)
    return bytes(data) + zlib.crc32(data).to_bytes(4, "little")


@pytest.mark.parametrize(
    ("about", "members"),
    [
        (_array([10**12], [10**12]), {}),
        (_array([10**9], [1]), {"c/0": _zeros(1)}),
        (_array([10**9], [10**9], _sharded([1])), {"c/0": bytes(100)}),
        (_array([10], [10], _sharded([0])), {"c/0": bytes(100)}),
        (_array([10], [10]), {"c/0": _zeros(50_000_000)}),
        (_array([10], [10], [*PLAIN, PLAIN[1]]), {"c/0": Zstd(1).encode(_zeros(50_000_000))}),
        (_array([10], [10], [PLAIN[0], {"name": "gzip", "configuration": {"level": 5}}]), {"c/0": b"x"}),
        (_array([3], [3], kind={"name": "fixed_length_utf32", "configuration": {"length_bytes": 4 * 10**9}}), {}),
        (_array([-5], [10]), {}),
        ([], {}),
        (GROUP, {}),
    ],
)
def test_an_array_that_waver_does_not_write_is_damage(tmp_path, about, members):
    writer = FileWriter(tmp_path / "a.zip")
    for name, data in members.items():
        writer.add(f"a/{name}", data)
    for name, content in {"a/zarr.json": about, "zarr.json": GROUP}.items():
        writer.add(name, json.dumps(content).encode())
    writer.close()
    with pytest.raises(DamagedStore):
        read_store(tmp_path / "a.zip")


def test_a_picture_of_other_sides_is_not_decoded(tmp_path):
    writer = FileWriter(tmp_path / "a.zip")
    writer.add("a/c/0/0/0/0", _picture())
    about = _array([1, 8, 8, 3], [1, 8, 8, 3], JPEG)
    for name, content in {"a/zarr.json": about, "zarr.json": GROUP}.items():
        writer.add(name, json.dumps(content).encode())
    writer.close()
    with pytest.raises(ValueError, match="other sides than its array"):
        read_store(tmp_path / "a.zip")


@pytest.mark.parametrize("root", [b"[1, 2]", b"\xff\xfe", b"[" * 50_000, b'{"attributes": 3}'])
def test_attributes_that_are_none_are_damage(tmp_path, root):
    writer = FileWriter(tmp_path / "a.zip")
    writer.add("zarr.json", root)
    writer.close()
    assert store_attributes(tmp_path / "a.zip") == {}
    with pytest.raises(DamagedStore):
        read_store(tmp_path / "a.zip")


def test_what_waver_writes_is_read_however_well_it_compresses(tmp_path):
    arrays = {"zeros": np.zeros((50_000, 64), np.float32), "none": np.zeros((0, 5), bool)}
    arrays["wide"] = np.ones((3, 300_000), np.int16)
    with new_store(tmp_path / "a.zip", "k") as store:
        for name, values in arrays.items():
            store.put(name, values)
    for name, values in read_store(tmp_path / "a.zip").items():
        np.testing.assert_array_equal(values, arrays[name])
