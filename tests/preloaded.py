"""Snakemake from a process that has loaded it already, with torch: a plan takes 2 CPU seconds and not 5.

Tests that ask for many plans ask here. The process loads packages alone, nothing of Waver; for every call it
forks, and the child does what ``snakemake`` does with those arguments, environment and folder.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

PACKAGES = ("torch", "snakemake.cli", "snakemake.report", "jinja2", "PIL.Image", "rich.progress", "smart_open")
"""Torch, because the config's models are built while a run is planned, and what Snakemake loads early and late."""
_server: subprocess.Popen[str] | None = None


@pytest.fixture(scope="module")
def preloaded_snakemake() -> Iterator[None]:
    """Plans of ``waver.cluster.planning`` come from the process that is loaded; their CPU seconds are not measured."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("waver.cluster.planning.subprocess", SimpleNamespace(run=run))
        yield


def run(command: Sequence[str], cwd: Path, env: Mapping[str, str], **_: Any) -> subprocess.CompletedProcess[str]:
    """``subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)`` of a ``snakemake`` command.

    Args:
        command: ``[".../snakemake", ...]`` or ``[python, "-m", "snakemake", ...]``.
        cwd: folder to run in.
        env: its whole environment.
    """
    arguments = list(command[3:] if command[1] == "-m" else command[1:])
    with tempfile.TemporaryDirectory(prefix="snakemake-") as name:
        streams = [Path(name) / stream for stream in ("stdout", "stderr")]
        request = {
            "arguments": arguments,
            "cwd": str(cwd),
            "env": dict(env),
            "streams": [str(path) for path in streams],
        }
        code = int(_ask(json.dumps(request)))
        return subprocess.CompletedProcess(command, code, *(path.read_text() for path in streams))


def _ask(request: str) -> str:
    global _server
    if _server is None or _server.poll() is not None:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        _server = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
    assert _server.stdin is not None
    assert _server.stdout is not None
    _server.stdin.write(request + "\n")
    _server.stdin.flush()
    return _server.stdout.readline()


def _serve() -> None:
    """Fork for every line on standard input; answer with the exit code."""
    del sys.path[0]  # this folder
    for package in PACKAGES:
        importlib.import_module(package)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _snakemake(**json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _snakemake(arguments: list[str], cwd: str, env: dict[str, str], streams: list[str]) -> NoReturn:
    """What the program of that name does, with its output in files."""
    from snakemake.cli import main

    for number, path in zip((0, 1, 2), (os.devnull, *streams), strict=True):
        flags = os.O_RDWR if number == 0 else os.O_WRONLY | os.O_CREAT
        os.dup2(os.open(path, flags, 0o600), number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["snakemake", *arguments]
    code = 1
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
