"""Errors in the user's data or config, reported in one sentence with the remedy."""

from __future__ import annotations

import errno
from collections.abc import Sequence

_MACHINE_TROUBLE = frozenset(
    {
        errno.EIO, errno.ESTALE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS,
        errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETIMEDOUT, errno.EREMOTEIO, errno.ENOTCONN, errno.ENOLCK,
    }
)  # fmt: skip

_WHAT_TO_DO = {
    errno.ENOSPC: "the disk is full: free space",
    errno.EDQUOT: "your quota is used up: free space, or ask for more",
    errno.EFBIG: "a file would be larger than the system allows: raise the limit (ulimit -f)",
    errno.EROFS: "the file system is read-only: work in another folder, or ask who mounts it",
    errno.EACCES: "a file may not be read or written: ask its owner, or chmod",
    errno.EPERM: "a file may not be read or written: ask its owner, or chmod",
    errno.EMFILE: "too many files are open: raise the limit (ulimit -n)",
    errno.ENFILE: "too many files are open on this machine: ask its administrator",
    errno.ENOMEM: "the memory is exhausted: give the job more (mem_mb)",
}


class WaverError(Exception):
    """Stops the job. The message is one sentence for the user: what, in which file, what to do."""


class MissingStore(WaverError):
    """A store that an index lists is missing: it ends the job, and no video is excluded for it.

    The message names the index and not the store, whose path holds ids of a person: Snakemake's output shows it.
    """


class DamagedStore(MissingStore):
    """A store is not as it was written: cut short, empty, or with bytes that changed."""


class ExcludedItem(WaverError):
    """One item (a video, a participant's record) cannot be used; the rest of the batch continues.

    Attributes:
        reason: what is wrong, without the path (the table that collects these has it).
        remedy: what the user can do about it.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[ExcludedItem], tuple[str, str]]:
        return type(self), (self.reason, self.remedy)


def is_machine_trouble(error: BaseException) -> bool:
    """Whether an error is one of the disk, the network or the memory, and not of the current item.

    It has to end the job, which a retry resumes: excluding the item for it would lose it silently.
    """
    if isinstance(error, OSError):
        return error.errno in _MACHINE_TROUBLE
    # full GPU memory raises a RuntimeError of its library
    return isinstance(error, MemoryError) or "out of memory" in str(error).lower()


def ends_job(error: BaseException) -> bool:
    """Whether an error is no fault of the item at hand: trouble of the machine, or what the user has to mend first.

    An item that is set aside is none of these: catch ``ExcludedItem`` before.
    """
    return is_machine_trouble(error) or isinstance(error, (PermissionError, WaverError))


def trouble_sentence(error: BaseException) -> str:
    """What the user can do about trouble of the machine; without the file, whose path may hold ids of a person."""
    if isinstance(error, OSError):
        remedy = _WHAT_TO_DO.get(
            error.errno or 0, f"the disk or the network fails ({error.strerror}): see whether it is there"
        )
    elif isinstance(error, MemoryError):
        remedy = _WHAT_TO_DO[errno.ENOMEM]
    else:
        remedy = "the GPU's memory is exhausted: use one that nobody shares, or a smaller batch"
    return f"{remedy}, then run the same command again; what is complete is kept (the log names the file)"


def first_names(names: Sequence[str], most: int = 5) -> str:
    """Names for a message, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
