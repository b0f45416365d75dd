"""Compiles what the packages of this environment would compile in the first job that loads them.

Run once, by the environment's own Python, after the packages are installed; later runs compile what changed. Jobs
only read the environment: bytecode is taken where it lies, and each job takes a copy of the folder ``waver-caches``
(``waver.workflow.environment``) for libraries that want a folder to write to.

Machine code is made for any x86-64 processor, so that one folder serves all nodes of a cluster.
"""

import compileall
import logging
import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path

CACHES = Path(sys.prefix) / "waver-caches"


def bytecode() -> None:
    """Compile every module of every package; some packages ship files for other Pythons, which stay as they are."""
    paths = sysconfig.get_paths()
    compileall.compile_dir(paths["purelib"], quiet=2, workers=0)
    if sys.prefix == sys.base_prefix:  # conda, a container: the standard library belongs to the environment too
        compileall.compile_dir(paths["stdlib"], quiet=2, workers=0)


def caches(folder: Path) -> None:
    """Fill ``folder`` with numba's machine code and matplotlib's list of fonts."""
    os.environ |= {"NUMBA_CPU_NAME": "generic", "NUMBA_CACHE_DIR": str(folder / "numba")}
    os.environ |= {"MPLCONFIGDIR": str(folder / "matplotlib"), "XDG_CACHE_HOME": str(folder / "other")}
    import librosa
    import numpy as np

    logging.disable()  # matplotlib announces that it lists the fonts
    import matplotlib.font_manager  # noqa: F401

    # the one function of librosa in use that numba compiles (waver.features.audio.prosody), in the precision in use
    librosa.yin(np.sin(np.arange(1600.0)), fmin=60, fmax=500, sr=16000, frame_length=800)
    shutil.rmtree(folder / "other", ignore_errors=True)


def main() -> None:
    """Compile, and put the caches in place whole."""
    bytecode()
    for left in CACHES.parent.glob(".waver-caches-*"):  # of a call that was killed
        shutil.rmtree(left)
    made = Path(tempfile.mkdtemp(dir=CACHES.parent, prefix=".waver-caches-"))
    caches(made)
    shutil.rmtree(CACHES, ignore_errors=True)
    made.rename(CACHES)


if __name__ == "__main__":
    main()
