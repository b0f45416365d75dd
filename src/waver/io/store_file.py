"""One ZIP file whose every byte is checked: the file of a store.

Members are not compressed, have a fixed time stamp, and carry their CRC-32, as in any ZIP file. A ZIP file's own
directory has no checksum: here the comment at the file's end holds where the directory starts and its CRC-32, so that
a file that lost its end, or a byte of its directory, is told from a whole one by reading its end alone.
"""

from __future__ import annotations

import errno
import os
import struct
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

_COMMENT = "waver {start:016x} {crc:08x}"
_COMMENT_BYTES = len(_COMMENT.format(start=0, crc=0))
_END_BYTES = 1 << 14
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_SIZES_ELSEWHERE = b"\xff" * 8
"""In a header whose sizes stand in its extra field, which members of 2 GB and somewhat less have too."""
_BLOCK = 1 << 22


class Damage(Exception):
    """A file is not as it was written; the message says what is wrong, without the file's name."""


class FileWriter:
    """A new ZIP file; equal members in equal order give equal bytes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._zip = zipfile.ZipFile(path, "x", zipfile.ZIP_STORED)
        self._zip.comment = _COMMENT.format(start=0, crc=0).encode()

    def add(self, name: str, data: bytes) -> None:
        """Add a member; one of the same name no longer counts, its bytes stay."""
        if name in self:
            self._zip.filelist.remove(self._zip.NameToInfo.pop(name))
        member = zipfile.ZipInfo(name)  # its time is 1980
        member.external_attr = 0o644 << 16
        self._zip.writestr(member, data)

    def clear(self) -> None:
        """Begin anew: no member stays, and none of their bytes."""
        assert self._zip.fp is not None
        self._zip.fp.truncate(0)
        self._zip.start_dir = 0
        self._zip.filelist.clear()
        self._zip.NameToInfo.clear()

    def __contains__(self, name: str) -> bool:
        return name in self._zip.NameToInfo

    def read(self, name: str) -> bytes:
        """A member that was added."""
        return self._zip.read(name)

    def names(self) -> list[str]:
        """Members in the order of writing."""
        return self._zip.namelist()

    def close(self) -> None:
        """Write the directory and its checksum."""
        self._zip.close()
        with open(self._path, "r+b") as file:
            end = file.seek(-_COMMENT_BYTES, os.SEEK_END)
            start = self._zip.start_dir
            file.seek(start)
            crc = zlib.crc32(file.read(end - start))
            file.seek(end)
            file.write(_COMMENT.format(start=start, crc=crc).encode())

    def abandon(self) -> None:
        """Close the file without a directory."""
        file, self._zip.fp = self._zip.fp, None
        if file is not None:
            with suppress(OSError):  # what could not be written is still in its buffer
                file.close()


@dataclass(frozen=True)
class _Directory:
    """Members of a file, and where the data of those begin that were read."""

    identity: tuple[int, ...]
    members: dict[str, zipfile.ZipInfo]
    starts: dict[str, int]

    def member(self, name: str) -> zipfile.ZipInfo:
        if name not in self.members:
            raise Damage(f"{name} is missing")
        return self.members[name]

    def start(self, number: int, name: str) -> int:
        """Where the data of a member begin; its own header has to agree with the directory."""
        if name not in self.starts:
            member, size = self.member(name), _LOCAL_HEADER.size
            head = _read_at(number, member.header_offset, size, name)
            *_, named, extra = _LOCAL_HEADER.unpack(head)
            head += _read_at(number, member.header_offset + size, named, name)
            expected = member.FileHeader(zip64=True if head[18:26] == _SIZES_ELSEWHERE else None)
            # the version and the extra field depend on the size of the file
            if head[:4] + head[6:28] + head[30:] != expected[:4] + expected[6:28] + expected[30 : 30 + named]:
                raise Damage(f"the header of {name} is not as it was written")
            self.starts[name] = member.header_offset + size + named + extra
        return self.starts[name]


class FileReader:
    """Members of a whole file, read by position: by several threads, and in processes forked since, at once.

    No file stays open, so that thousands of readers can be kept. Where another file took the place of the first, that
    one is read.

    Args:
        path: the file.

    Raises:
        Damage: the file's end or directory is not as written.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _opened(path) as file:
            self._directory = _read_directory(file.fileno())

    @property
    def identity(self) -> tuple[int, ...]:
        """Tells the file that was read from another in its place."""
        return self._directory.identity

    def __contains__(self, name: str) -> bool:
        return name in self._directory.members

    def names(self) -> list[str]:
        """Members in the order of writing."""
        return list(self._directory.members)

    def bytes_of(self, prefix: str) -> int:
        """Bytes of all members whose names begin with a prefix."""
        return sum(one.file_size for name, one in self._directory.members.items() if name.startswith(prefix))

    def read(self, name: str) -> bytes:
        """A whole member, checked.

        Raises:
            Damage: it is missing or not as written.
            OSError: it cannot be read.
        """
        with open(self.path, "rb", buffering=0) as file:
            directory = self._current(file.fileno())
            member = directory.member(name)
            data = _read_at(file.fileno(), directory.start(file.fileno(), name), member.file_size, name)
        if zlib.crc32(data) != member.CRC:
            raise Damage(f"{name} is not as it was written")
        return data

    def read_range(self, name: str, start: int, stop: int | None) -> bytes:
        """Some bytes of a member; its CRC is that of the whole, and is not checked.

        Args:
            name: the member.
            start: first byte; negative, counted from its end.
            stop: byte after the last; None for its end.

        Raises:
            Damage: the member is missing, or ends before ``stop``.
            OSError: it cannot be read.
        """
        with open(self.path, "rb", buffering=0) as file:
            directory = self._current(file.fileno())
            size = directory.member(name).file_size
            first, last = (max(0, size + start) if start < 0 else start), size if stop is None else stop
            if not first <= last <= size:
                raise Damage(f"{name} ends at byte {size}, before {last}")
            return _read_at(file.fileno(), directory.start(file.fileno(), name) + first, last - first, name)

    def _current(self, number: int) -> _Directory:
        if _identity(number) != self._directory.identity:
            self._directory = _read_directory(number)
        return self._directory

    def check(self) -> None:
        """Read everything.

        Raises:
            Damage: a byte that matters is not as written.
            OSError: it cannot be read.
        """
        for name, member in self._directory.members.items():
            crc, size = 0, member.file_size
            for start in range(0, size, _BLOCK):
                crc = zlib.crc32(self.read_range(name, start, min(start + _BLOCK, size)), crc)
            if crc != member.CRC:
                raise Damage(f"{name} is not as it was written")


def _opened(path: Path) -> FileIO:
    try:
        return open(path, "rb", buffering=0)
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link to itself stands where no file is
            raise FileNotFoundError(errno.ENOENT, "a link to itself", str(path)) from error
        raise


def _read_directory(number: int) -> _Directory:
    check_directory(number)
    with os.fdopen(os.dup(number), "rb") as file:
        try:
            with zipfile.ZipFile(file) as whole:
                members = dict(whole.NameToInfo)
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:  # a directory that was made by others
            raise Damage("its directory is of no file that Waver writes") from error
    size = os.fstat(number).st_size
    for member in members.values():
        if member.compress_type != zipfile.ZIP_STORED or member.header_offset + member.file_size > size:
            raise Damage("its directory names members that are not in it")
    return _Directory(_identity(number), members, {})


def is_intact(path: Path) -> bool:
    """Whether a file is there whose end and directory are as written; its members are not read.

    A file that the disk does not hand out may be whole: who reads it says what is wrong.
    """
    try:
        with _opened(path) as file:
            check_directory(file.fileno())
    except (Damage, FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return False
    except OSError:
        return True
    return True


def check_directory(number: int) -> None:
    """Check the end of an open file: a few kilobytes are read, no member.

    Raises:
        Damage: it is empty, cut short, no such file, or its directory was changed.
        OSError: it cannot be read.
    """
    size = os.fstat(number).st_size
    if not size:
        raise Damage("it is empty")
    offset = max(0, size - _END_BYTES)
    tail = _read_at(number, offset, size - offset, "its end")
    try:
        word, start, crc = tail[-_COMMENT_BYTES:].decode("ascii").split(" ")
        begin, expected = int(start, 16), int(crc, 16)
        if word != "waver" or begin >= size:
            raise ValueError
    except ValueError as error:  # a UnicodeDecodeError is one
        raise Damage("its end is missing") from error
    if begin < offset:
        tail = _read_at(number, begin, offset - begin, "its directory") + tail
        offset = begin
    if zlib.crc32(tail[begin - offset : -_COMMENT_BYTES]) != expected:
        raise Damage("its directory is not as it was written")


def _read_at(number: int, offset: int, size: int, what: str) -> bytes:
    parts, left = [], size
    while left:  # one call reads 2 GiB at most
        part = os.pread(number, left, offset + size - left)
        if not part:
            raise Damage(f"{what} is cut short")
        parts.append(part)
        left -= len(part)
    return b"".join(parts) if len(parts) != 1 else parts[0]


def _identity(number: int) -> tuple[int, ...]:
    status = os.fstat(number)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
