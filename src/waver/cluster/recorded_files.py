"""Files of a run, or of predictions, against the sha256 that was recorded when they were written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from waver.errors import WaverError
from waver.provenance import file_sha256

_SIDECAR = ".provenance.json"
_AT_ONCE = 4


class Recorded(NamedTuple):
    """A file and what was recorded of it."""

    path: Path
    sha256: str


def changed_files(roots: Sequence[Path]) -> tuple[list[str], int]:
    """What is not as it was written.

    Args:
        roots: folders of runs, of data sets, or of predictions; single files tell nothing.

    Returns:
        A line for each file that changed or is missing, and the number of recorded files.

    Raises:
        WaverError: a record cannot be read.
    """
    found = sorted({one for root in roots if root.is_dir() for one in _recorded(root)})
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        problems = list(pool.map(_problem, found))
    return [f"{one.path}: {what}" for one, what in zip(found, problems, strict=True) if what], len(found)


def _problem(one: Recorded) -> str:
    """What is wrong with a file; empty where it is as it was written."""
    try:
        return "" if file_sha256(one.path) == one.sha256 else "it is not as it was written"
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _recorded(root: Path) -> Iterator[Recorded]:
    """Files of the records below a folder; those of a published folder are recorded beside the logs of its run."""
    whole = Path(os.path.abspath(root))
    logs = [root / "../../logs" / whole.name] if whole.parent.name == "results" else []
    for folder in (root, *logs):
        for record in sorted(folder.rglob(f"*{_SIDECAR}")):
            yield from _of_job(record)
    if (root / "run.json").is_file():
        files = _read(root / "run.json").get("files", {})
        yield from (Recorded(root / name, sha256) for name, sha256 in files.items())


def _of_job(record: Path) -> Iterator[Recorded]:
    """The outputs of a job, whose paths are relative to the folder that it ran in."""
    outputs = _read(record).get("output", {})
    own = str(record).removesuffix(_SIDECAR)
    first = next((name for name in outputs if own == name or own.endswith(f"/{name}")), None)
    base = own.removesuffix(first) if first is not None else own.rpartition("logs/")[0]
    yield from (Recorded(Path(base, name), sha256) for name, sha256 in outputs.items())


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WaverError(f"{path} cannot be read, which records what was written; make it again") from error
    return found if isinstance(found, dict) else {}
