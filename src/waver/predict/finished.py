"""What became of a recording, kept so that a next call does only what is missing."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from waver.predict.data_tables import write_json
from waver.provenance import file_sha256

_FOR_PEOPLE = (".eaf", ".TextGrid")
"""Endings of the files that are corrected in other programs."""


@dataclass(frozen=True)
class Finished:
    """A recording that was worked on.

    Attributes:
        stamp: digest of all that it was made from; empty: to be tried again by the next call.
        row: its row of the summary; None where it was set aside.
        problem: its row of what was set aside; None where it was not.
        files: name -> sha256 of its files in the output folder.
    """

    stamp: str = ""
    row: dict[str, Any] | None = None
    problem: dict[str, Any] | None = None
    files: Mapping[str, str] = field(default_factory=dict)

    def edited(self, out: Path) -> dict[str, str]:
        """Those of ``files`` that are for people to change, and that somebody has changed since."""
        own = {name: sha256 for name, sha256 in self.files.items() if name.endswith(_FOR_PEOPLE)}
        return {name: sha256 for name, sha256 in own.items() if self._state(out, name) == "other"}

    def intact(self, out: Path) -> bool:
        """Whether all files are there as they were written, or as a person changed them."""
        left = self.files.keys() - self.edited(out).keys()
        return all(self._state(out, name) == "same" for name in left)

    def remove_left(self, out: Path, now: Collection[str]) -> None:
        """Remove files that a new result no longer has; what a person has changed stays."""
        for name in self.files.keys() - set(now) - self.edited(out).keys():
            (out / name).unlink(missing_ok=True)

    def _state(self, out: Path, name: str) -> str:
        if not (out / name).is_file():
            return "gone"
        return "same" if file_sha256(out / name) == self.files[name] else "other"


def _place(out: Path, recording: str) -> Path:
    return out / "work/finished" / f"{recording}.json"


def read_finished(out: Path, recording: str) -> Finished | None:
    """What is known from last time; None where nothing is."""
    try:
        return Finished(**json.loads(_place(out, recording).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_finished(out: Path, recording: str, finished: Finished) -> None:
    """Remember it."""
    write_json(_place(out, recording), asdict(finished))
