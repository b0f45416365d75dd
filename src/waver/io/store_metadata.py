"""What the metadata of a store may say: only what Waver writes, so that no array takes more than its file can hold.

Zarr makes room for what the metadata state, and the chunks' codecs for what the chunks state, before either is known to
be true.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from waver.io.store_file import Damage, FileReader

MOST_OF_CHUNK = 1 << 22
"""Bytes of a chunk's values: 256 kB, or a row, the longest of which is a picture."""
_MOST_GROWTH, _SPARE_BYTES = 1 << 14, 1 << 24
"""Bytes of values for each byte of a file (a chunk has 16 in an index at least), and some more in any case."""
_CODECS = frozenset({"sharding_indexed", "bytes", "zstd", "crc32c", "waver.jpeg"})
_ZSTD = b"\x28\xb5\x2f\xfd"
_NO_ARRAY = "its metadata are not those of an array that Waver writes"


def metadata(file: FileReader, name: str) -> dict[str, Any]:
    """Metadata of a store or of an array in it.

    Raises:
        Damage: they are no JSON object.
    """
    try:
        found = json.loads(file.read(name))
    except (ValueError, RecursionError) as error:
        raise Damage(f"{name} is no JSON") from error
    if not isinstance(found, dict) or not isinstance(found.get("attributes", {}), dict):
        raise Damage(f"{name} is not as Waver writes it")
    return found


def check_array(file: FileReader, name: str) -> None:
    """Refuse an array that is far larger than the file, or in a form that Waver does not write.

    Raises:
        Damage: it is.
    """
    about = metadata(file, f"{name}/zarr.json")
    if {"", ".", ".."} & set(name.split("/")):
        raise Damage("it has an array with a name that Waver writes nowhere")
    try:
        shape, chunk, codecs = _form(about)
        size = np.dtype(about["data_type"]).itemsize
    except (LookupError, TypeError, ValueError) as error:
        raise Damage(_NO_ARRAY) from error
    kept = file.bytes_of(f"{name}/c")
    values = size * prod(chunk) * prod(-(-side // part) for side, part in zip(shape, chunk, strict=True))
    if not codecs <= _CODECS or prod(chunk) * size > MOST_OF_CHUNK or values > _SPARE_BYTES + _MOST_GROWTH * kept:
        raise Damage(_NO_ARRAY)


def _form(about: Mapping[str, Any]) -> tuple[list[int], list[int], set[str]]:
    """Sides of an array and of its smallest chunks, and the codecs of all levels."""
    shape, chunk = _sides(about["shape"], 0), _sides(about["chunk_grid"]["configuration"]["chunk_shape"], 1)
    codecs: list[Mapping[str, Any]] = list(about["codecs"])
    used = {str(codec["name"]) for codec in codecs}
    if codecs[0]["name"] == "sharding_indexed":
        settings = codecs[0]["configuration"]
        outer, chunk = chunk, _sides(settings["chunk_shape"], 1)
        if any(whole % part for whole, part in zip(outer, chunk, strict=True)):
            raise ValueError("chunks that do not fill their shard")
        used |= {str(codec["name"]) for level in ("codecs", "index_codecs") for codec in settings[level]}
        codecs = settings["codecs"]
    if about["node_type"] != "array" or len(shape) != len(chunk) or len([c for c in codecs if c["name"] == "zstd"]) > 1:
        raise ValueError("another form")
    return shape, chunk, used


def _sides(given: Any, least: int) -> list[int]:
    sides = [side for side in given if isinstance(side, int) and side >= least]
    if len(sides) != len(given) or len(sides) > 8:
        raise ValueError("no sides")
    return sides


def check_chunk(data: bytes) -> None:
    """Refuse a compressed chunk that says it is larger than chunks are.

    Raises:
        Damage: it does.
    """
    if data[:4] == _ZSTD and not 0 < _zstd_content(data) <= MOST_OF_CHUNK:
        raise Damage("a chunk is larger than Waver writes it")


def _zstd_content(data: bytes) -> int:
    """Size of the content of a zstd frame (RFC 8878, 3.1.1.1); 0 where it is not told."""
    if len(data) < 5:
        return 0
    descriptor = data[4]
    single, kind = descriptor >> 5 & 1, descriptor >> 6
    length = (1 if single else 0) if kind == 0 else 1 << kind
    start = 5 + (1 - single) + (0, 1, 2, 4)[descriptor & 3]
    return int.from_bytes(data[start : start + length], "little") + (256 if kind == 1 else 0)
