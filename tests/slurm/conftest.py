"""A real Slurm (see ``cluster``), a run without it, and the same run on it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from on_slurm import HOME, Workspace, make_workspace, wait_for

from checkout import ROOT

LIMIT_S = 3600.0
"""A test on a real Slurm may take so long: the first waits for two whole runs."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs Slurm, and takes minutes, unless it is asked for (``-m slurm``)."""
    on_slurm = [item for item in items if item.get_closest_marker("slurm")]
    for item in on_slurm:
        item.add_marker(pytest.mark.timeout(LIMIT_S))
    if "slurm" not in config.option.markexpr:
        items[:] = [item for item in items if not item.get_closest_marker("slurm")]
        config.hook.pytest_deselected(items=on_slurm)


@pytest.fixture(scope="session")
def cluster() -> Callable[[str], None]:
    """The cluster's own command; when a test has it, Slurm is up."""

    def control(word: str) -> None:
        done = subprocess.run([ROOT / "tests/slurm/cluster", word], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    control("start")
    return control


@pytest.fixture(scope="session")
def local() -> Workspace:
    """A workspace in which everything has run on this machine, without Slurm and undisturbed."""
    shutil.rmtree(HOME / "work", ignore_errors=True)
    workspace = make_workspace(HOME / "work/local")
    shutil.copytree(workspace.folder, HOME / "work/cluster", symlinks=True)
    workspace.run("--cores", "2", "--configfile", "small.json")
    target = "results/faults/evaluate/scores.json"
    workspace.run("--cores", "2", "--configfile", "small.json", "faults.json", "--", target)
    return workspace


@pytest.fixture(scope="session")
def finished(cluster: Callable[[str], None], local: Workspace) -> Workspace:
    """A workspace of the same content in which everything has run on Slurm."""
    workspace = Workspace(HOME / "work/cluster")
    workspace.run("--profile", "slurm", "--configfile", "small.json")
    return workspace


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """After a test that failed half-way: no head, no job and no dead node troubles the next one."""
    yield
    if "finished" not in request.fixturenames:
        return
    workspace: Workspace = request.getfixturevalue("finished")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            ours = (process / "cwd").readlink() == workspace.folder
        except OSError:
            continue
        if ours and b"--profile\0slurm" in (process / "cmdline").read_bytes():
            os.kill(int(process.name), signal.SIGKILL)
            workspace.snakemake("--profile", "slurm", "--configfile", "small.json", "--unlock")
    if alive := active(workspace):
        subprocess.run(["scancel", *alive], check=True)
        wait_for(lambda: not active(workspace), "the end of cancelled jobs")
    request.getfixturevalue("cluster")("start")


def active(workspace: Workspace) -> list[str]:
    """Jobs that hold or await a node."""
    return [job.id for job in workspace.submissions() if job.state in ("PENDING", "RUNNING", "COMPLETING")]
