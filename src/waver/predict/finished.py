"""What became of a recording, kept so that a next call does only what is missing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from waver.predict.outputs import write_json
from waver.provenance import file_sha256


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


def _place(out: Path, recording: str) -> Path:
    return out / "work/finished" / f"{recording}.json"


def read_finished(out: Path, recording: str) -> Finished | None:
    """What is known from last time; None where nothing is, or a file has changed since."""
    try:
        known = Finished(**json.loads(_place(out, recording).read_text(encoding="utf-8")))
        same = all(file_sha256(out / name) == sha256 for name, sha256 in known.files.items())
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return known if same else None


def write_finished(out: Path, recording: str, finished: Finished) -> None:
    """Remember it."""
    write_json(_place(out, recording), asdict(finished))
