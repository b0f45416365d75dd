"""A lock on a file, released when its holder dies: one output never has two writers."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from waver.errors import WaverError

log = logging.getLogger(__name__)

_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL})


@contextmanager
def exclusive(path: str | Path, *, remove: bool = False) -> Iterator[None]:
    """Hold a lock on ``path`` (created if necessary) until the block ends; wait while another process holds it.

    Args:
        path: file; no process holds it twice at once.
        remove: remove the file at the end, still locked: a waiting process then creates it again.

    Raises:
        WaverError: the file system does not support locks.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target) as stream:
        stream.truncate(0)
        stream.write(f"process {os.getpid()} on {os.uname().nodename}\n")
        stream.flush()
        try:
            yield
        finally:
            if remove:
                target.unlink(missing_ok=True)


def _locked(target: Path) -> TextIO:
    """The file, open and locked until it is closed."""
    while True:
        stream = open(target, "a+")  # noqa: SIM115 (closed by the caller)
        try:
            _wait_for(stream, target)
            if _is_at(stream, target):
                return stream
        except BaseException:
            stream.close()
            raise
        stream.close()


def _wait_for(stream: TextIO, target: Path) -> None:
    try:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            log.warning("%s is held by %s; waiting for it", target, stream.read().strip() or "another job")
            fcntl.flock(stream, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise no_locks(target.parent, error) from error


def no_locks(folder: Path, error: OSError) -> WaverError:
    """What a user can do where flock is refused."""
    return WaverError(
        f"{folder} is on a file system that does not support locks (flock: {error.strerror}); "
        "mount it with flock (Lustre: -o flock; NFS: version 4, or lockd), or work in another folder"
    )


def _is_at(stream: TextIO, target: Path) -> bool:
    """Whether the open file is still the one at the path: its last holder may have removed it.

    It is checked by opening, which NFS answers from the server; a stat may come from the client's cache.
    """
    try:
        with open(target) as current:
            return os.path.sameopenfile(stream.fileno(), current.fileno())
    except FileNotFoundError:
        return False
