"""The answers of an unfinished job, appended batch by batch, so that a killed one goes on where it was.

The journal stays beside the job's output: a prompt or a video that is added costs its own calls alone. An answer is
taken from it where everything that decides it is as it was: model, code, options, prompt with its answers, frames,
file and faces.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


class Journal:
    """Answers by key, in a file of one JSON object a line; a line that a kill cut short counts as none.

    The caller holds a lock for it.
    """

    def __init__(self, path: Path) -> None:
        """What the file holds, if it is there."""
        self._path = path
        self._known: dict[str, Entry] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a+b") as stream:
            stream.seek(0)
            for line in stream:
                entry = _entry(line)
                if entry:
                    self._known[entry["key"]] = entry
            if stream.tell():
                stream.seek(-1, os.SEEK_END)
                if stream.read(1) != b"\n":
                    stream.write(b"\n")

    def get(self, key: str) -> Entry | None:
        """The answer of a key."""
        return self._known.get(key)

    def add(self, entries: Iterable[Entry]) -> None:
        """Append answers, each with its ``key``; they are on the disk when this returns."""
        new = list(entries)
        with open(self._path, "a", encoding="utf-8") as stream:
            stream.writelines(json.dumps(entry, sort_keys=True) + "\n" for entry in new)
            stream.flush()
            os.fsync(stream.fileno())
        self._known.update((entry["key"], entry) for entry in new)


def _entry(line: bytes) -> Entry | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "key" in found else None
