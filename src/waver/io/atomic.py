"""Files and folders that are written atomically and survive a crash of the machine.

Each is written under a temporary name in the same folder, flushed to the disk, and renamed. The name holds host,
process and a random token: process ids alone are not unique across nodes and containers of one node.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

_STALE_S = 24 * 3600
"""No file takes so long to write: its writer was killed."""
_NO_FOLDER_SYNC = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EBADF})
_SYNCS_AT_ONCE = 8


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """A temporary file that replaces ``path`` when the block ends without an exception.

    The folder is created. A version that another process wrote meanwhile is replaced; a reader sees one or the other.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in _leftovers(target):
        if _age_s(left) > _STALE_S:
            left.unlink(missing_ok=True)
    temporary = temporary_name(target)
    try:
        yield temporary
        put_in_place(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """As ``atomic_write``, for a file that has one writer at a time.

    The caller holds a lock for it: leftovers of other writers are removed, and a folder in the file's place.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in _leftovers(target):
        _remove(left)
    temporary, old = temporary_name(target), temporary_name(target)
    try:
        yield temporary
        if target.is_dir() and not target.is_symlink():
            os.replace(target, old)
        put_in_place(temporary, target)
        _remove(old)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """As ``atomic_write``, for a folder, which the caller creates under the temporary name.

    The caller holds a lock for it: leftovers of other writers are removed. In the instant between two renames
    a reader may find neither the old folder nor the new one.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in _leftovers(target):
        shutil.rmtree(left, ignore_errors=True)
    temporary, old = temporary_name(target), temporary_name(target)
    try:
        yield temporary
        _sync_tree(temporary)
        if target.exists():
            os.replace(target, old)
        os.replace(temporary, target)
        _sync_folder(target.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def put_in_place(source: Path, target: Path) -> None:
    """Rename a finished file within its folder, so that a crash at any time leaves the old or the new file."""
    _sync(source)
    os.replace(source, target)
    _sync_folder(target.parent)


def temporary_name(target: Path) -> Path:
    """A hidden name next to a file or folder, unique across nodes."""
    host = os.uname().nodename.replace(".", "-")
    return target.with_name(f".{target.name}.{host}-{os.getpid()}-{secrets.token_hex(8)}")


def _leftovers(target: Path) -> list[Path]:
    """Temporary files of the target, including those of active writers."""
    form = re.compile(rf"\.{re.escape(target.name)}\.[^.]*-\d+-[0-9a-f]{{16}}")
    return [path for path in target.parent.iterdir() if form.fullmatch(path.name)]


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:  # its writer has just finished
        return 0.0


def _sync_tree(folder: Path) -> None:
    """Flush the files of a folder to the disk; targets of symbolic links are skipped."""
    places = [(Path(place), names) for place, _, names in os.walk(folder)]
    files = [place / name for place, names in places for name in names]
    with ThreadPoolExecutor(_SYNCS_AT_ONCE) as pool:  # sequentially it takes five times as long
        list(pool.map(_sync, (file for file in files if not file.is_symlink())))
        list(pool.map(_sync_folder, (place for place, _ in places)))


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _sync_folder(path: Path) -> None:
    """Flush a folder's entries to the disk, where the file system supports it."""
    try:
        _sync(path)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
