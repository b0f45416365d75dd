"""The result of a check: one line and, if something is wrong, a remedy."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes:
        level: ok; warning: a run may still succeed; problem: it will not.
        check: what was checked, a word or two.
        text: what was found.
        remedy: what to do about it; empty where all is well.
    """

    level: Level
    check: str
    text: str
    remedy: str = ""

    @property
    def line(self) -> str:
        """One line for a terminal."""
        return f"{self.level:<8} {self.check}: {self.text}" + (f"; {self.remedy}" if self.remedy else "")


def ok(check: str, text: str) -> Finding:
    """The check passed."""
    return Finding("ok", check, text)


def warning(check: str, text: str, remedy: str) -> Finding:
    """A run may still succeed."""
    return Finding("warning", check, text, remedy)


def problem(check: str, text: str, remedy: str) -> Finding:
    """A run will not succeed."""
    return Finding("problem", check, text, remedy)


@dataclass(frozen=True)
class Answer:
    """The output of a program of the site. ``there`` is False if it is not installed."""

    there: bool
    works: bool
    text: str


def query(command: Sequence[str], timeout_s: float = 30) -> Answer:
    """Run a program of the site; one that is missing, fails or hangs also gives an answer."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s)
    except FileNotFoundError:
        return Answer(False, False, f"{command[0]} is not installed")
    except (subprocess.TimeoutExpired, OSError) as error:
        return Answer(True, False, f"{command[0]}: {error}")
    words = result.stdout if result.returncode == 0 else (result.stderr or result.stdout)
    return Answer(True, result.returncode == 0, words.strip())
