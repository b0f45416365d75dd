"""The Zarr stores: written once, atomically, and never changed afterwards.

A store is a Zarr v3 group in one ZIP file, which ``zarr.storage.ZipStore`` opens. While it is written it has a
temporary name; at the end its key is put into its attributes and it is renamed. The key is a digest of its inputs
(input checksum, config slice, code version, model), so that a retry or a re-run skips stores whose key matches and
writes the others again.

All that is read is checked: metadata by the CRC of their member, arrays by the checksum of each chunk.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import ZstdCodec

from waver.errors import WaverError
from waver.io.atomic import atomic_file
from waver.io.jpeg_codec import JpegCodec, register
from waver.io.store_file import Damage, FileReader
from waver.io.store_metadata import check_array, metadata
from waver.io.store_trouble import reading
from waver.io.zip_store import ROOT, ZipReader, ZipWriter

log = logging.getLogger(__name__)

Array = npt.NDArray[Any]
SHARD_ROWS = 480
_CHUNK_BYTES = 1 << 18
_MEMBER_BYTES = 1 << 25
"""Of values in a member of the file; while it is written, it takes three times its size."""
_EVERY_CHUNK = {"write_empty_chunks": True}
"""A chunk of zeros is written too: one that is not there is missing."""


class StoreWriter:
    """Open, unfinished store; arrays are written at once or by slices of rows."""

    def __init__(self, path: Path) -> None:
        register()
        self._store = ZipWriter(path)
        self._group = zarr.open_group(self._store, mode="w", zarr_format=3)
        self.attributes: dict[str, Any] = {}

    def put(self, name: str, values: Array) -> None:
        """Write one array, chunked along its first axis, as one member; a large one as several."""
        array = self._create(name, values.shape, values.dtype)
        rows = array.shards[0]
        for first in range(0, len(values) if values.size else 0, rows):
            array[first : first + rows] = values[first : first + rows]

    def images(self, name: str, rows: int, size: int, quality: int) -> Any:
        """An empty uint8 ``[rows, size, size, 3]`` array of JPEG frames, to be filled by slices.

        Slices start at multiples of SHARD_ROWS: a shard is written as one member, and one that is written again
        leaves its first bytes in the file, unless ``clear`` comes between.
        """
        return self._group.create_array(
            name,
            shape=(rows, size, size, 3),
            dtype="uint8",
            chunks=(1, size, size, 3),
            shards=(min(SHARD_ROWS, max(rows, 1)), size, size, 3),
            serializer=JpegCodec(quality=quality, checksum=True),
            compressors=None,
            filters=None,
            config=_EVERY_CHUNK,
        )

    def clear(self) -> None:
        """Drop the values of all arrays, to fill them anew."""
        self._store.drop_chunks()

    def _create(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Any:
        row_bytes = max(int(np.prod(shape[1:], dtype=np.int64)) * np.dtype(dtype).itemsize, 1)
        rest = tuple(max(side, 1) for side in shape[1:])  # a chunk of an empty array has a side too
        rows = max(1, min(max(shape[0], 1), _CHUNK_BYTES // row_bytes))
        chunks = max(1, min(-(-shape[0] // rows), _MEMBER_BYTES // (rows * row_bytes)))
        return self._group.create_array(
            name,
            shape=shape,
            dtype=dtype,
            chunks=(rows, *rest),
            shards=(rows * chunks, *rest),
            compressors=ZstdCodec(level=3, checksum=True),
            config=_EVERY_CHUNK,
        )

    def _finish(self, key: str) -> None:
        self._group.attrs.put({**self.attributes, "key": key})
        self._store.finish()


@contextmanager
def new_store(path: str | Path, key: str) -> Iterator[StoreWriter]:
    """Write a store; it appears under ``path`` only when the block ends without an exception.

    The caller holds the lock of the store's shard: leftovers of other writers are removed.
    """
    with atomic_file(path) as temporary:
        writer = StoreWriter(temporary)
        try:
            yield writer
            writer._finish(key)
        finally:
            writer._store.abandon()


class StoredArray:
    """An array of a store, not yet read; slices of it are."""

    def __init__(self, array: Any, file: FileReader) -> None:
        self._array, self._file = array, file
        self.shape: tuple[int, ...] = array.shape
        self.dtype: np.dtype[Any] = array.dtype
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, selection: Any) -> Array:
        """Some rows, or all, in memory.

        Raises:
            DamagedStore: they are not as they were written.
        """
        try:
            return np.asarray(self._array[selection])
        except (IndexError, OSError):
            raise
        except Exception as problem:
            with reading(self._file.path, self._file):
                if isinstance(problem, Damage):
                    raise
                self._file.check()  # what decoders say about wrong bytes has many forms
            raise

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return self[:].astype(dtype or self.dtype, copy=False)


class StoredGroup:
    """A finished store, open for reading.

    Attributes:
        attrs: its attributes.
    """

    def __init__(self, file: FileReader) -> None:
        register()
        self._file = file
        with reading(file.path, file):
            metadata(file, ROOT)
            self._group = zarr.open_group(ZipReader(file), mode="r", zarr_format=3)
            self.attrs: dict[str, Any] = self._group.attrs.asdict()

    def array_keys(self) -> list[str]:
        """Names of the arrays."""
        return sorted(name.removesuffix(f"/{ROOT}") for name in self._file.names() if name.endswith(f"/{ROOT}"))

    def __contains__(self, name: str) -> bool:
        return f"{name}/{ROOT}" in self._file

    def __getitem__(self, name: str) -> StoredArray:
        """An array.

        Raises:
            KeyError: there is none of this name.
            DamagedStore: what is said about it is not as it was written.
        """
        with reading(self._file.path, self._file):
            if name in self:
                check_array(self._file, name)
            return StoredArray(self._group[name], self._file)


def store_key(path: str | Path) -> str | None:
    """Key of a finished store, or None where there is none."""
    return store_attributes(path).get("key")


def store_attributes(path: str | Path) -> dict[str, Any]:
    """Attributes of a store; empty where there is none, or a damaged one.

    Raises:
        OSError: the disk fails, or the file may not be read.
    """
    try:
        return _attributes(FileReader(Path(path)))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except IsADirectoryError:
        log.info("%s is of an earlier version of Waver", path)
    except Damage as damage:
        log.warning("a store is damaged: %s", damage)
        log.info("it is %s", path)
    return {}


def _attributes(file: FileReader) -> dict[str, Any]:
    return dict(metadata(file, ROOT).get("attributes") or {})


def read_attributes(path: str | Path) -> dict[str, Any]:
    """Attributes of a finished store.

    Raises:
        MissingStore: there is no finished store.
        DamagedStore: it is not as it was written.
    """
    place = Path(path)
    with reading(place):
        return _finished(place)[1]


def _finished(place: Path) -> tuple[FileReader, dict[str, Any]]:
    """A finished store and its attributes; to be called within ``reading``."""
    file = FileReader(place)
    with reading(place, file):
        return file, _attributes(file)


def read_store(path: str | Path, *names: str) -> dict[str, Array]:
    """Arrays of a store, in memory.

    Args:
        path: the store.
        names: arrays to read; all of them where none is named.

    Raises:
        MissingStore: there is no finished store.
        DamagedStore: it is not as it was written.
        WaverError: it lacks an array.
    """
    group = open_store(path)
    wanted = names or tuple(group.array_keys())
    missing = [name for name in wanted if name not in group]
    if missing:
        raise WaverError(f"{path} has no array {missing[0]!r}; delete it and run again")
    return {name: group[name][:] for name in wanted}


def open_store(path: str | Path) -> StoredGroup:
    """A finished store, for reading slices.

    Raises:
        MissingStore: there is no finished store.
        DamagedStore: it is not as it was written.
    """
    place = Path(path)
    with reading(place):
        return StoredGroup(FileReader(place))


def check_store(path: str | Path) -> None:
    """Read every byte of a store.

    Raises:
        MissingStore: there is no finished store.
        DamagedStore: it is not as it was written.
    """
    place = Path(path)
    with reading(place):
        file, _ = _finished(place)
    with reading(place, file):
        file.check()
