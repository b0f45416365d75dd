"""Which files a data set consists of, without opening one: called whenever Snakemake plans."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from waver.errors import is_machine_trouble

SUFFIXES = (".mp4", ".yml", ".yaml", ".txt", ".csv")
"""Videos, transcripts and annotation, metadata, splits."""

DERIVED_FOLDERS = frozenset({"frames", "cropped-aligned-faces", "cropped_aligned", "cropped_aligned_faces"})
"""Folders of single images (nearly a million files), lower case; Waver makes its own faces."""


class FoundFile(NamedTuple):
    """A file below the root: path relative to it, bytes, time of the last change in nanoseconds."""

    path: str
    size: int
    mtime_ns: int


def scan(root: Path) -> list[FoundFile]:
    """Files of a data set with one of SUFFIXES, sorted by path; empty where there is no root.

    Hidden files, DERIVED_FOLDERS and folders that may not be read are passed over; links are followed.

    Raises:
        OSError: the disk or the network fails; what it hides is not missing.
    """
    return sorted(_walk(str(root), "", (os.path.realpath(root),)))


def _walk(folder: str, prefix: str, above: tuple[str, ...]) -> Iterator[FoundFile]:
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        if is_machine_trouble(error):
            raise
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = prefix + entry.name
        if entry.is_dir():
            real = os.path.realpath(entry.path) if entry.is_symlink() else ""
            if entry.name.lower() not in DERIVED_FOLDERS and real not in above:
                yield from _walk(entry.path, f"{path}/", (*above, real) if real else above)
        elif entry.name.lower().endswith(SUFFIXES):
            try:
                status = entry.stat()
            except OSError as error:  # a link that leads nowhere
                if is_machine_trouble(error):
                    raise
                continue
            yield FoundFile(path, status.st_size, status.st_mtime_ns)


def inventory(root: Path) -> str:
    """Digest of path, size and time of change of every file of a data set; empty if root is missing.

    Args:
        root: folder of the release.
    """
    if not root.is_dir():
        return ""
    hashed = hashlib.sha256()
    for file in scan(root):
        hashed.update(f"{file.path}\0{file.size}\0{file.mtime_ns}\n".encode(errors="surrogateescape"))
    return hashed.hexdigest()[:16]
