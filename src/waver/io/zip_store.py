"""Zarr's view of a store's file: a writer that is filled once, and a reader that checks what it reads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype

from waver.io.store_file import Damage, FileReader, FileWriter
from waver.io.store_metadata import check_chunk

ROOT = "zarr.json"
"""Name of the metadata of the store, and of each array in it."""


class _Keys(Store):
    """What listing needs: the names of all members."""

    supports_deletes = True
    supports_listing = True

    def _names(self) -> Iterable[str]:
        raise NotImplementedError

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

    async def exists(self, key: str) -> bool:
        return key in self._names()

    async def list(self) -> AsyncIterator[str]:
        for name in self._names():
            yield name

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        for name in self._names():
            if name.startswith(prefix):
                yield name

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        within = f"{prefix.rstrip('/')}/".lstrip("/")
        rest = (name.removeprefix(within) for name in self._names() if name.startswith(within))
        for name in dict.fromkeys(name.split("/")[0] for name in rest):
            yield name


class ZipWriter(_Keys):
    """Chunks go into the file as they come; metadata, which Zarr writes several times, at the end."""

    supports_writes = True

    def __init__(self, path: Path) -> None:
        super().__init__(read_only=False)
        self._file = FileWriter(path)
        self._metadata: dict[str, bytes] = {}

    def __eq__(self, other: object) -> bool:
        return self is other

    def _names(self) -> Iterable[str]:
        return [*self._metadata, *self._file.names()]

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        if key in self._metadata:
            data = self._metadata[key]
        elif key in self._file:
            data = self._file.read(key)
        else:
            return None
        start, stop = _span(byte_range)
        return prototype.buffer.from_bytes(data[start:stop])

    async def set(self, key: str, value: Buffer) -> None:
        if key.endswith(ROOT):
            self._metadata[key] = value.to_bytes()
        else:
            self._file.add(key, value.to_bytes())

    async def delete(self, key: str) -> None:
        self._metadata.pop(key, None)

    def drop_chunks(self) -> None:
        """Drop what was written of all arrays; a store of Zarr has a ``clear`` of its own."""
        self._file.clear()

    def finish(self) -> None:
        """Write what is left, and the directory."""
        for name, data in sorted(self._metadata.items()):
            self._file.add(name, data)
        self._file.close()

    def abandon(self) -> None:
        """Leave the file without its end."""
        self._file.abandon()


class ZipReader(_Keys):
    """A finished file.

    The writer leaves out no chunk: one that is not there is damage, where Zarr would read zeros.
    """

    supports_writes = False
    supports_deletes = False

    def __init__(self, file: FileReader) -> None:
        super().__init__(read_only=True)
        self._file = file

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ZipReader) and self._file.path == other._file.path

    def _names(self) -> Iterable[str]:
        return self._file.names()

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        if key not in self._file:
            if key.endswith(ROOT):
                return None
            raise Damage(f"{key} is missing")
        # each chunk, and the index of a shard, has a checksum of its own
        data = self._file.read(key) if key.endswith(ROOT) else self._file.read_range(key, *_span(byte_range))
        check_chunk(data)
        return prototype.buffer.from_bytes(data)

    async def set(self, key: str, value: Buffer) -> None:
        raise NotImplementedError

    async def delete(self, key: str) -> None:
        raise NotImplementedError


def _span(request: ByteRequest | None) -> tuple[int, int | None]:
    match request:
        case None:
            return 0, None
        case RangeByteRequest():
            return request.start, request.end
        case OffsetByteRequest():
            return request.offset, None
        case SuffixByteRequest():
            return -request.suffix, None
    raise TypeError(f"{type(request).__name__} is no range of bytes")
