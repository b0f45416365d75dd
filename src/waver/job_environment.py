"""What libraries take from the environment of a process: caches that no other process meets, and no network.

numba, matplotlib, fontconfig, torch, Triton, CUDA and the Hugging Face libraries keep compiled code, lists and
downloads in the environment, in the home folder or under one name for all jobs of a user. Two jobs that begin together
then write the same files, and what one wrote is read by the other half-way. Here each process gets a folder of its
own, begun with what the environment holds ready (``envs/precompile.py``). It is deleted when the process ends, and
that of a process that was killed when the next one begins on the machine.

No library looks for files at a hub, or reports what it does.

Libraries read these variables when they are imported: call ``set_environment`` before.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import IO

_PREFIX, _LOCK = "waver-caches-", "held"
READY = Path(sys.prefix) / "waver-caches"
"""What ``envs/precompile.py`` compiled for this environment."""

FOLDERS = {
    "NUMBA_CACHE_DIR": "numba",
    "MPLCONFIGDIR": "matplotlib",
    "XDG_CACHE_HOME": "xdg",
    "HF_HOME": "huggingface",
    "TORCH_HOME": "torch",
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "TRITON_CACHE_DIR": "triton",
    "CUDA_CACHE_PATH": "cuda",
}
"""Environment variable -> folder inside the process's own."""

SETTINGS = {
    "PYTHONDONTWRITEBYTECODE": "1",
    # what is ready was compiled for any processor, and is taken only by whoever asks for that
    "NUMBA_CPU_NAME": "generic",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
"""Environment variable -> its value in every process."""


@cache
def set_environment() -> Path:
    """Give this process, and those that it starts, caches of its own and the settings; a second call does nothing.

    Returns:
        Folder of the caches; it is deleted when this process ends.
    """
    _remove_left()
    own = Path(tempfile.mkdtemp(prefix=_PREFIX))
    held = open(own / "new", "w")  # noqa: SIM115 (open, and locked, for as long as the process lives)
    fcntl.flock(held, fcntl.LOCK_EX)
    os.rename(held.name, own / _LOCK)  # never there without its lock
    atexit.register(_remove, own, held, os.getpid())
    if READY.is_dir():
        shutil.copytree(READY, own, dirs_exist_ok=True)
    for variable, name in FOLDERS.items():
        os.environ[variable] = str(own / name)
    os.environ.update(SETTINGS)
    return own


def _remove(folder: Path, held: IO[str], process: int) -> None:
    if os.getpid() == process:  # a forked child may end by the same list of last calls
        shutil.rmtree(folder, ignore_errors=True)
        held.close()


def _remove_left() -> None:
    """Delete the folders whose processes were killed, which is told by locks that nobody holds any more."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        try:
            with open(lock) as stream:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
        except OSError:  # somebody's who lives, another user's, or just gone
            continue
