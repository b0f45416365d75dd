"""A secret of the site: from it come names of participants that nobody outside can trace back to their ids."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from waver.errors import WaverError
from waver.io.atomic import temporary_name

_BYTES = 32


def site_secret(path: Path) -> bytes:
    """The secret in a file, which is made where there is none; of two jobs that make it, one wins.

    Args:
        path: file, readable by its owner alone.

    Raises:
        WaverError: others may read the file, or it holds no secret.
    """
    if not path.exists():
        _make(path)
    if stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
        raise WaverError(f"{path}, the secret of this site, may be read by others; run chmod 600 {path}")
    text = path.read_text(encoding="ascii", errors="replace").strip()
    if len(text) != 2 * _BYTES or set(text) - set("0123456789abcdef"):
        raise WaverError(f"{path} holds no secret of this site; bring it back from a copy, or delete it for new names")
    return bytes.fromhex(text)


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    whole = temporary_name(path)
    try:
        with open(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        # unlike a rename, a link never replaces what another job made
        with contextlib.suppress(FileExistsError):
            try:
                os.link(whole, path)
            except PermissionError:  # a file system without links
                if not path.exists():
                    os.replace(whole, path)
    finally:
        whole.unlink(missing_ok=True)
