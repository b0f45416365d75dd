"""What may go wrong by the user's data or config, told in one sentence with the remedy."""

from __future__ import annotations

import errno

_MACHINE_TROUBLE = frozenset(
    {
        errno.EIO, errno.ESTALE, errno.ENOSPC, errno.EDQUOT, errno.EROFS,
        errno.ENOMEM, errno.EMFILE, errno.ENFILE,
    }
)  # fmt: skip


class WaverError(Exception):
    """Stops the job. The message is one sentence for the user: what, in which file, what to do."""


class MissingStore(WaverError):
    """A store that an index lists is gone: it ends the job, and no video is set aside for it.

    The message names the index and not the store, whose path holds ids of a person: Snakemake's output shows it.
    """


class SetAside(WaverError):
    """One item (a video, a participant's record) cannot be used; the rest of the batch goes on.

    Attributes:
        reason: what is wrong, without the path (the table that collects these has it).
        remedy: what the user can do about it.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy


def is_machine_trouble(error: BaseException) -> bool:
    """Whether an error tells of the disk, the network or the memory, and so nothing of the item at hand.

    It has to end the job, which a retry resumes: an item set aside for it would be lost in silence.
    """
    if isinstance(error, OSError):
        return error.errno in _MACHINE_TROUBLE
    # a GPU that is full raises a RuntimeError of its library
    return isinstance(error, MemoryError) or "out of memory" in str(error).lower()
