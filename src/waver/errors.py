"""What may go wrong by the user's data or config, told in one sentence with the remedy."""

from __future__ import annotations


class WaverError(Exception):
    """Stops the job. The message is one sentence for the user: what, in which file, what to do."""


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
