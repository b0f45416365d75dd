"""Files and folders that appear whole or not at all, and are still whole after the machine went down.

Each is written under a temporary name beside its place, brought to the disk, and renamed. The name holds host,
process and a random token: process ids alone meet, between nodes and between containers of one node.
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
"""No file takes so long to write: whoever wrote it was killed."""
_NO_FOLDER_SYNC = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EBADF})
_SYNCS_AT_ONCE = 8


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """A file to write in place of ``path``, which takes its place when the block ends without an exception.

    The folder is made. What another process wrote there meanwhile is replaced; a reader sees the one or the other.
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
def folder_written_whole(path: str | Path) -> Iterator[Path]:
    """As ``written_whole``, of a folder: the name of one to make.

    The caller holds a lock of its own for it: what other writers left is removed. In the instant between two renames
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


def put_in_place(source: Path, target: Path) -> None:
    """Rename a finished file within its folder, so that the machine may go down at any time."""
    _sync(source)
    os.replace(source, target)
    _sync_folder(target.parent)


def temporary_name(target: Path) -> Path:
    """A hidden name beside a file or folder that nobody else takes, on any node."""
    host = os.uname().nodename.replace(".", "-")
    return target.with_name(f".{target.name}.{host}-{os.getpid()}-{secrets.token_hex(8)}")


def _leftovers(target: Path) -> list[Path]:
    """What has a temporary name of the target, living writers' too."""
    form = re.compile(rf"\.{re.escape(target.name)}\.[^.]*-\d+-[0-9a-f]{{16}}")
    return [path for path in target.parent.iterdir() if form.fullmatch(path.name)]


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:  # its writer ended just now
        return 0.0


def _sync_tree(folder: Path) -> None:
    """Bring the files of a folder to the disk; what symbolic links lead to is not ours."""
    places = [(Path(place), names) for place, _, names in os.walk(folder)]
    files = [place / name for place, names in places for name in names]
    with ThreadPoolExecutor(_SYNCS_AT_ONCE) as pool:  # one after the other takes five times as long
        list(pool.map(_sync, (file for file in files if not file.is_symlink())))
        list(pool.map(_sync_folder, (place for place, _ in places)))


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _sync_folder(path: Path) -> None:
    """Bring a folder's entries to the disk, where the file system can."""
    try:
        _sync(path)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
