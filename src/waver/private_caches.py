"""Folders that libraries write to besides a job's outputs, one set for every process.

numba, matplotlib, fontconfig, torch, Triton, CUDA and the Hugging Face libraries keep compiled code, lists and
downloads in the environment, in the home folder or under one name for all jobs of a user. Two jobs that begin together
then write the same files, and what one wrote is read by the other half-way. Here each process gets a folder of its
own, begun with what the environment holds ready (``envs/precompile.py``), which is deleted when the process ends.

Libraries read where these folders are when they are imported: call ``make_private`` before.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

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


@cache
def make_private() -> Path:
    """Give this process, and the processes that it starts, caches of their own; once, however often it is called.

    Returns:
        The folder; it is deleted when this process ends.
    """
    own = Path(tempfile.mkdtemp(prefix="waver-caches-"))
    atexit.register(_remove, own, os.getpid())
    if READY.is_dir():
        shutil.copytree(READY, own, dirs_exist_ok=True)
    for variable, name in FOLDERS.items():
        os.environ[variable] = str(own / name)
    # what is ready was compiled for any processor, and is taken only by whoever asks for that
    os.environ["NUMBA_CPU_NAME"] = "generic"
    return own


def _remove(folder: Path, process: int) -> None:
    if os.getpid() == process:  # a forked child may end by the same list of last calls
        shutil.rmtree(folder, ignore_errors=True)
