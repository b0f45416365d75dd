"""What a process frees goes back to the system.

glibc keeps freed blocks for itself: after the first large one, all of up to 32 MB. Of a long recording that is every
array in turn, and the process that does all stages holds hundreds of megabytes that nobody uses.
"""

from __future__ import annotations

import ctypes

_MMAP_THRESHOLD = -3
_KEPT_BYTES = 4 << 20


def return_freed_memory() -> None:
    """From now on, blocks of 4 MB and more are the system's again as soon as they are freed.

    With another library than glibc nothing changes.
    """
    allocator = ctypes.CDLL(None)
    if hasattr(allocator, "mallopt"):
        allocator.mallopt(_MMAP_THRESHOLD, _KEPT_BYTES)
