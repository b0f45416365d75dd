"""Which files a data set consists of, without opening one: called whenever Snakemake plans."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from waver.errors import is_machine_trouble

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm")
SUFFIXES = (*VIDEO_SUFFIXES, ".yml", ".yaml", ".txt", ".csv", ".eaf")
"""Videos, transcripts and annotation, metadata, splits."""

DERIVED_FOLDERS = frozenset({"frames", "cropped-aligned-faces", "cropped_aligned", "cropped_aligned_faces"})
"""Folders of single images (nearly a million files), lower case; Waver makes its own faces."""

_MOST_LINKS = 2
"""Links to folders on the way to a file; folders that link to each other have endlessly many ways."""


class FoundFile(NamedTuple):
    """A file below the root: path relative to it, bytes, time of the last change in nanoseconds."""

    path: str
    size: int
    mtime_ns: int


def scan(root: Path, unreadable: list[str] | None = None, no_files: list[str] | None = None) -> list[FoundFile]:
    """Files of a data set with one of SUFFIXES, sorted by path; empty where there is no root.

    Hidden files, DERIVED_FOLDERS and folders that may not be read are passed over. Links are followed, but none to a
    folder in which it lies itself.

    Args:
        root: folder of the data set.
        unreadable: gets the folders that may not be read, relative to the root.
        no_files: gets what has such a suffix and is no file: links that lead nowhere, pipes, devices.

    Raises:
        OSError: the disk or the network fails; what it hides is not missing.
    """
    lists = ([] if unreadable is None else unreadable, [] if no_files is None else no_files)
    return sorted(_walk(str(root), "", (os.path.realpath(root),), *lists))


def _walk(
    folder: str, prefix: str, above: tuple[str, ...], unreadable: list[str], no_files: list[str]
) -> Iterator[FoundFile]:
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        if is_machine_trouble(error):
            raise
        if isinstance(error, PermissionError):
            _note(unreadable, prefix)
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = prefix + entry.name
        if _is_folder(entry):
            real = os.path.realpath(entry.path) if entry.is_symlink() else ""
            if entry.name.lower() not in DERIVED_FOLDERS and (not real or _leads_down(real, folder, above)):
                yield from _walk(entry.path, f"{path}/", (*above, real) if real else above, unreadable, no_files)
        elif entry.name.lower().endswith(SUFFIXES):
            try:
                status = entry.stat()
            except OSError as error:  # a link that leads nowhere
                if is_machine_trouble(error):
                    raise
                if isinstance(error, PermissionError):
                    _note(unreadable, prefix)
                else:
                    no_files.append(path)
                continue
            if stat.S_ISREG(status.st_mode):  # reading a pipe or a device may never end
                yield FoundFile(path, status.st_size, status.st_mtime_ns)
            else:
                no_files.append(path)


def _note(unreadable: list[str], prefix: str) -> None:
    folder = prefix.rstrip("/") or "."
    if folder not in unreadable[-1:]:
        unreadable.append(folder)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:  # a link to itself
        if is_machine_trouble(error):
            raise
        return False


def _leads_down(real: str, folder: str, above: tuple[str, ...]) -> bool:
    """Whether a link in a folder leads to one that is not above it, by fewer links than ``_MOST_LINKS``."""
    inside = f"{os.path.realpath(folder)}/"
    return real not in above and len(above) <= _MOST_LINKS and not inside.startswith(f"{real.rstrip('/')}/")


def inventory(root: Path) -> str:
    """Digest of path, size and time of change of every file of a data set, and of whether it may be read.

    It is empty if root is missing.

    Args:
        root: folder of the release.
    """
    if not root.is_dir():
        return ""
    hashed = hashlib.sha256()
    for file in scan(root):
        hashed.update(f"{file.path}\0{file.size}\0{file.mtime_ns}\n".encode(errors="surrogateescape"))
        if not os.access(root / file.path, os.R_OK):  # a permission that is mended changes no time
            hashed.update(b"not readable\n")
    return hashed.hexdigest()[:16]
