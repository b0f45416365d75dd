"""Provenance of an output: digests, seeds, and the sidecar next to a result."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from waver.io.atomic import atomic_write


def digest(value: Any) -> str:
    """Short, stable hash of anything JSON can hold (keys sorted)."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def seed_for(*names: object) -> int:
    """A seed in [0, 2**31) that depends on the names alone, so that adding a method changes no other."""
    return int(hashlib.sha256("/".join(map(str, names)).encode()).hexdigest()[:8], 16) % 2**31


def file_sha256(path: str | Path) -> str:
    """sha256 of a file's bytes, as hex."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def versions(*packages: str) -> dict[str, str]:
    """Installed versions of the packages named; a missing one is left out."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def write_sidecar(output: str | Path, record: dict[str, Any]) -> None:
    """Write ``<output>.provenance.json`` next to a job's first output."""
    with atomic_write(f"{output}.provenance.json") as path:
        path.write_text(json.dumps(record, indent=2, sort_keys=True, default=str) + "\n")
