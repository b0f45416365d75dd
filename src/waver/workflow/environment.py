"""What libraries take from the environment of a process: caches that no other process meets, and no network.

numba, matplotlib, fontconfig, torch, Triton, CUDA and the Hugging Face libraries keep compiled code, lists and
downloads in the environment, in the home folder or under one name for all jobs of a user. Two jobs that begin together
then write the same files, and what one wrote is read by the other half-way. Here each process gets a folder of its
own, begun with what the environment holds ready (``envs/precompile.py``). It is deleted when the process ends, and
that of a process that was killed when the next one begins on the machine.

No library looks for files at a hub, or reports what it does: it is told so in its variables, and where it has none, or
does not heed them, the process refuses the connection (``close_network``). A host that the config names may be allowed
(``allow_host``).

Libraries read these variables when they are imported: call ``set_environment`` before.
"""

from __future__ import annotations

import atexit
import fcntl
import ipaddress
import os
import shutil
import socket
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import IO, Any

from waver.errors import WaverError
from waver.io.lock import no_locks

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

UMASK = 0o077
"""What is written belongs to the user alone: nearly all of it is about people."""

SETTINGS = {
    "PYTHONDONTWRITEBYTECODE": "1",
    # the precompiled code is for any processor, and used only if that is requested
    "NUMBA_CPU_NAME": "generic",
    # a picture of a few kilobytes can claim gigabytes
    "OPENCV_IO_MAX_IMAGE_PIXELS": "100000000",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PYANNOTE_METRICS_ENABLED": "false",
    "OTEL_SDK_DISABLED": "true",
    # bars of progress, for which nobody waits
    "TQDM_DISABLE": "1",
    # old tokenizers of transformers load pickled objects where this is on
    "TRUST_REMOTE_CODE": "False",
    "ORT_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
"""Environment variable -> its value in every process."""

_SENDS = ("socket.connect", "socket.sendto", "socket.sendmsg")
_LOOKS_UP = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
_closed = False
_allowed: set[str] = set()
"""Names and addresses of other computers that this process may reach all the same."""


def import_from(source: str) -> None:
    """Let the jobs that this process starts import Waver from a folder, whatever else the environment contains.

    Snakemake appends its own path to a script's, so that a Waver which the environment knows would come first.

    Args:
        source: ``src`` of the checkout whose Snakefile runs.

    Raises:
        WaverError: Waver is installed among the packages: jobs in Conda or Apptainer, which get no PYTHONPATH, would
            run that code and not this.
    """
    for packages in (Path(entry) for entry in sys.path if entry.endswith("-packages")):
        if (packages / "waver").is_dir():
            raise WaverError(
                f"jobs would run the Waver in {packages} instead of the code of this folder; give here: "
                f"{sys.executable} -m pip install --no-deps --editable ."
            )
    others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(filter(None, [source, *others])))


@cache
def set_environment() -> Path:
    """Give this process, and those that it starts, caches of its own, the settings and UMASK.

    A second call does nothing.

    Returns:
        Folder of the caches; it is deleted when this process ends.
    """
    _remove_left()
    own = Path(tempfile.mkdtemp(prefix=_PREFIX))
    held = open(own / "new", "w")  # noqa: SIM115 (open, and locked, for as long as the process lives)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
    except OSError as error:
        raise WaverError(f"{no_locks(own.parent, error)} (TMPDIR)") from error
    os.rename(held.name, own / _LOCK)  # never there without its lock
    atexit.register(_remove, own, held, os.getpid())
    if READY.is_dir():
        shutil.copytree(READY, own, dirs_exist_ok=True)
    for variable, name in FOLDERS.items():
        os.environ[variable] = str(own / name)
    os.environ.update(SETTINGS)
    os.umask(UMASK)
    return own


def _remove(folder: Path, held: IO[str], process: int) -> None:
    if os.getpid() == process:  # a forked child may end by the same list of last calls
        shutil.rmtree(folder, ignore_errors=True)
        held.close()


def _remove_left() -> None:
    """Delete the folders whose processes were killed, recognised by locks that are no longer held."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        try:
            with open(lock) as stream:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
        except OSError:  # somebody's who lives, another user's, or just gone
            continue


def close_network() -> None:
    """Refuse, from now on, every connection of this process to another computer, and every look-up of its address.

    Programs that this process starts, and compiled code that does not use Python's sockets, are not kept from the
    network. Libraries get the error that they also get from a computer without a network.
    """
    global _closed
    _closed = True
    _watch()


def open_network() -> None:
    """Allow connections again: for the job that fetches models. The libraries of model hubs are still told not to."""
    global _closed
    _closed = False


def allow_host(host: str) -> None:
    """Let this process reach one other computer, by its name and the addresses that the name has now.

    Raises:
        WaverError: the name has no address.
    """
    _allowed.add(host)
    try:
        _allowed.update(str(entry[4][0]) for entry in socket.getaddrinfo(host, None))
    except OSError as error:
        raise WaverError(f"the host {host} is not found ({error}); correct its name") from error


@cache
def _watch() -> None:
    def refuse(event: str, arguments: tuple[Any, ...], asks: frozenset[str] = frozenset(_SENDS + _LOOKS_UP)) -> None:
        # Python calls this at its very end as well, when globals are gone: an event that is none of these comes first
        if event in asks and _closed and not (is_here(host := _host(event, arguments)) or host in _allowed):
            raise ConnectionRefusedError(f"Waver uses no network here, and was asked for {host!r}")

    sys.addaudithook(refuse)


def _host(event: str, arguments: tuple[Any, ...]) -> Any:
    """What a call of a socket is about; nothing where it is a file (AF_UNIX) or what the socket is connected to."""
    if event in _LOOKS_UP:
        return arguments[0]
    return arguments[1][0] if isinstance(arguments[1], tuple) else None


def is_here(host: Any) -> bool:
    """Whether a host is this computer; what is no text is a file, the kernel or none."""
    name = host.decode(errors="replace") if isinstance(host, bytes) else host
    if not isinstance(name, str) or name in ("", "localhost", os.uname().nodename):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
