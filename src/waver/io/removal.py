"""Deleting what was made of people: with what links lead to, and with a sentence where it fails."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from waver.errors import WaverError


def remove(path: Path) -> None:
    """Delete a file or a folder; of a link, what it leads to as well, as people link results to other disks.

    Raises:
        WaverError: it cannot be deleted.
    """
    target = Path(os.path.realpath(path))
    try:
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)
        if path.is_symlink():
            path.unlink()
    except OSError as error:
        raise WaverError(
            f"{error.filename or path} cannot be deleted ({error.strerror}); see who owns it and try again"
        ) from error
