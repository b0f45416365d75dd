"""Why a video file that the lists name is not there: each case has another remedy."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from waver.datasets.clean_text import shown
from waver.datasets.exclusions import Row, exclusion_row
from waver.errors import ExcludedItem, WaverError, is_machine_trouble

FOLDER_UNREADABLE = "its folder cannot be read"
ALLOW = "give the account that runs Waver the right to read it, and run again"
_BRING = "bring the file to its path below the root, or correct its line in the lists"


def check_root(root: Path) -> None:
    """Hold that the folder of a data set is there and may be read.

    Raises:
        WaverError: it is not.
    """
    try:
        os.scandir(root).close()
    except PermissionError as error:
        raise WaverError(f"dataset.root: {root} cannot be read; {ALLOW}") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise WaverError(f"dataset.root: {root} is no folder; correct the path, or mount its disk") from error
    except OSError as error:
        if is_machine_trouble(error):
            raise
        raise WaverError(f"dataset.root: {root} leads to no folder; correct the path or its links") from error


def unreadable_folders(folders: Iterable[str]) -> list[Row]:
    """Rows of folders that could not be read, whatever may lie in them."""
    return [exclusion_row(shown(one), "the folder cannot be read", ALLOW, path=shown(one)) for one in folders]


def stem(path: str) -> str:
    """A path without its suffix, in small letters."""
    return os.path.splitext(path)[0].lower()


def by_stem(paths: Iterable[str]) -> dict[str, str]:
    """Stem -> one of the files that have it."""
    return {stem(path): path for path in paths}


def why_absent(root: Path, path: str, alike: str | None, unreadable: Sequence[str]) -> ExcludedItem:
    """Why there is no file at a path.

    Args:
        root: folder of the data set.
        path: of the file as the lists spell it, relative to the root.
        alike: a file of that name with another suffix; None where there is none.
        unreadable: folders that could not be read (``waver.datasets.inventory.scan``).
    """
    folders = set(PurePosixPath(path).parts[:-1])
    if any(PurePosixPath(folder).name in folders for folder in unreadable):
        return ExcludedItem(FOLDER_UNREADABLE, ALLOW)
    if alike is not None:
        suffix, listed = (os.path.splitext(one)[1] for one in (alike, path))
        if suffix.lower() == listed.lower():
            return ExcludedItem("the file is there with other capitals in its name", "write its name as the lists do")
        return ExcludedItem(
            f"the file is there as {suffix.lower()} and listed as {listed.lower()}",
            "convert it to the listed kind, or correct the lists",
        )
    try:
        os.lstat(root / path)
    except PermissionError:
        return ExcludedItem(FOLDER_UNREADABLE, ALLOW)
    except (OSError, ValueError):
        return ExcludedItem("video file is missing", _BRING)
    if os.path.islink(root / path) and not os.path.exists(root / path):
        return ExcludedItem(
            "what lies at its path is a link that leads to no file", "correct the link, or bring the file"
        )
    return ExcludedItem("what lies at its path is no file", _BRING)
