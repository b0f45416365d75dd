"""What the user sees while recordings are worked on: a line for each, and on a terminal what goes on now."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TextIO

_LEFT = "about {} left"


@dataclass
class Progress:
    """Counts recordings, and foretells the time by the seconds of recording that are done.

    Attributes:
        total: recordings to work on.
        total_s: their length together, seconds.
        stream: where lines go.
    """

    total: int
    total_s: float
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    done: int = 0
    done_s: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def doing(self, recording: str, what: str) -> None:
        """On a terminal, show the step of the recording that is worked on."""
        if self.stream.isatty():
            self._show(f"{self._place(1)} {recording}: {what}{self._left()}", "\r")

    def finished(self, recording: str, duration_s: float, outcome: str) -> None:
        """A recording is done."""
        self.done += 1
        self.done_s += duration_s
        self._show(f"{self._place(0)} {recording}: {outcome}{self._left()}", "\n")

    def _place(self, ahead: int) -> str:
        return f"[{self.done + ahead}/{self.total}]"

    def _left(self) -> str:
        rest = self.total_s - self.done_s
        if not self.done_s or rest <= 0:
            return ""
        return f", {_LEFT.format(in_words((time.monotonic() - self.started) / self.done_s * rest))}"

    def _show(self, line: str, end: str) -> None:
        clear = "\x1b[2K\r" if self.stream.isatty() else ""
        self.stream.write(f"{clear}{line}{end}")
        self.stream.flush()


def in_words(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"
