"""The Zarr stores: written once, whole or not at all, and never changed after.

A store is a Zarr v3 group. While it is written it lives under a temporary name; ``finish`` puts the
key into its attributes and renames it. The key tells what it was made from (input checksum, config
slice, code version, model), so that a retry or a re-run skips what fits and makes anew what does not.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import zarr
from zarr.codecs import ZstdCodec

from waver.errors import MissingStore, WaverError
from waver.store.jpeg import JpegCodec
from waver.store.whole import folder_written_whole

log = logging.getLogger(__name__)

Array = npt.NDArray[Any]
SHARD_ROWS = 480
_CHUNK_BYTES = 1 << 18


class StoreWriter:
    """Open, unfinished store; arrays are put in whole or appended to by batches of rows."""

    def __init__(self, path: Path) -> None:
        self._group = zarr.open_group(path, mode="w", zarr_format=3)
        self.attributes: dict[str, Any] = {}

    def put(self, name: str, values: Array) -> None:
        """Write one whole array, chunked along its first axis, in as few files as possible."""
        array = self._create(name, values.shape, values.dtype)
        if values.size:
            array[:] = values

    def images(self, name: str, rows: int, size: int, quality: int) -> Any:
        """An empty uint8 ``[rows, size, size, 3]`` array of JPEG frames, to be filled by slices.

        Slices that start at multiples of SHARD_ROWS cost least: a shard is written as one file.
        """
        return self._group.create_array(
            name,
            shape=(rows, size, size, 3),
            dtype="uint8",
            chunks=(1, size, size, 3),
            shards=(min(SHARD_ROWS, max(rows, 1)), size, size, 3),
            serializer=JpegCodec(quality=quality),
            compressors=None,
            filters=None,
        )

    def _create(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Any:
        row_bytes = max(int(np.prod(shape[1:], dtype=np.int64)) * np.dtype(dtype).itemsize, 1)
        rest = tuple(max(side, 1) for side in shape[1:])  # a chunk of an empty array has a side too
        rows = max(1, min(max(shape[0], 1), _CHUNK_BYTES // row_bytes))
        return self._group.create_array(
            name,
            shape=shape,
            dtype=dtype,
            chunks=(rows, *rest),
            shards=(rows * max(1, -(-shape[0] // rows)), *rest),
            compressors=ZstdCodec(level=3),
        )

    def _finish(self, key: str) -> None:
        self._group.attrs.put({**self.attributes, "key": key})


@contextmanager
def new_store(path: str | Path, key: str) -> Iterator[StoreWriter]:
    """Write a store; it appears under ``path`` only when the block ends without an exception.

    The caller holds the lock of what the store belongs to: what other writers left is removed.
    """
    with folder_written_whole(path) as temporary:
        writer = StoreWriter(temporary)
        yield writer
        writer._finish(key)


def store_key(path: str | Path) -> str | None:
    """Key of a finished store, or None where there is none."""
    return store_attributes(path).get("key")


def store_attributes(path: str | Path) -> dict[str, Any]:
    """Attributes of a store; empty where there is no readable store. See ``read_attributes`` where one has to be."""
    try:
        text = (Path(path) / "zarr.json").read_text()
        attributes: dict[str, Any] = json.loads(text).get("attributes", {})
    except (OSError, json.JSONDecodeError):
        return {}
    return attributes


def read_attributes(path: str | Path) -> dict[str, Any]:
    """Attributes of a finished store.

    Raises:
        MissingStore: no finished store is there.
    """
    attributes = store_attributes(path)
    if "key" not in attributes:
        log.info("%s is not a finished store", path)  # ids of people belong in the job's log, not in an error
        raise MissingStore(_what_is_gone(Path(path)))
    return attributes


def _what_is_gone(store: Path) -> str:
    """A sentence for a store that is gone, with its index and without its name.

    Snakemake knows the index alone, and runs the rule where that is missing.
    """
    place = next((place for place in store.parents if place.name in ("stores", "packs")), None)
    if place is None:
        return "a store is gone; run the rule that makes it (the log names the store)"
    indexes = sorted(place.parent.glob("*.parquet"))
    shard = [index for index in indexes if index.stem == store.stem or _lists(index, store.stem)]
    if not shard:
        return f"a store below {place} is gone; run the rule that makes it (the log names the store)"
    told = f"a store that {shard[0]} lists is gone; delete {shard[0]} and run again"
    return f"{told}: stores that are there stay, what is missing is made"


def _lists(index: Path, video: str) -> bool:
    try:
        return video in pq.read_table(index, columns=["video"])["video"].to_pylist()
    except (OSError, pa.ArrowException):  # no index, or none that can be read
        return False


def read_store(path: str | Path, *names: str) -> dict[str, Array]:
    """Arrays of a store, in memory.

    Args:
        path: the store.
        names: arrays to read; all of them where none is named.

    Raises:
        MissingStore: no finished store is there.
        WaverError: it lacks an array.
    """
    group = open_store(path)
    wanted = names or tuple(sorted(group.array_keys()))
    missing = [name for name in wanted if name not in group]
    if missing:
        raise WaverError(f"{path} has no array {missing[0]!r}; delete it and run again")
    return {name: np.asarray(group[name][:]) for name in wanted}


def open_store(path: str | Path) -> Any:
    """A finished store as a read-only Zarr group, for reading slices.

    Raises:
        MissingStore: no finished store is there.
    """
    read_attributes(path)
    return zarr.open_group(Path(path), mode="r", zarr_format=3)
