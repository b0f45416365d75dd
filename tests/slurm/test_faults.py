"""What happens on clusters, done to a real Slurm: afterwards the scores are, byte for byte, those of a quiet run.

In each test a shard's job is stopped (SIGSTOP) after its first whole videos, so that the fault finds it
in its middle however fast the machine is.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from on_slurm import HOME, Head, Submission, Workspace, processes, wait_for

pytestmark = pytest.mark.slurm

SHARD = "001"
SCORES = "results/faults/evaluate/scores.json"
RUN = ("--profile", "slurm", "--configfile", "small.json", "faults.json")
Stores = dict[Path, tuple[int, int]]


@dataclass(frozen=True)
class Caught:
    """A shard's job, stopped in its middle."""

    job: Submission
    process: int
    whole: Stores


def forget(workspace: Workspace, thing: str) -> Stores:
    """Take away a shard's results of one thing, its pack, and all scores; the stores of the other shard."""
    resources = workspace.folder / "resources/small"
    for participant in workspace.shard_of(SHARD):
        shutil.rmtree(resources / f"features/{thing}/stores" / participant, ignore_errors=True)
    for index in (f"features/{thing}", "features/visual", "align"):  # a missing file that nobody needs is not made
        (resources / index / f"{SHARD}.parquet").unlink(missing_ok=True)
    shutil.rmtree(workspace.folder / "results/faults", ignore_errors=True)
    return workspace.stores(thing)


def catch(head: Head, thing: str, known: list[Submission]) -> Caught:
    """Stop the job that makes a thing when it has made some stores of the shard and not all of them."""
    workspace, before = head.workspace, head.workspace.stores(thing)
    name, old = f"features_{thing}_wildcards_{SHARD}", {job.id for job in known}
    wait_for(lambda: len(workspace.stores(thing)) > len(before) or head.process.poll() is not None, "the first store")
    assert head.process.poll() is None, head.output()
    job = next(job for job in workspace.submissions(name) if job.id not in old and job.state == "RUNNING")
    (process,) = processes(job.id, f"features_{thing}.py")
    os.kill(process, signal.SIGSTOP)
    whole = {path: made for path, made in workspace.stores(thing).items() if path not in before}
    assert 0 < len(whole) < 8, "the job was not stopped in its middle"
    assert not (workspace.folder / f"resources/small/features/{thing}/{SHARD}.parquet").exists()
    return Caught(job, process, whole)


def state(job: Submission) -> str:
    command = ["squeue", "--states=all", "--noheader", f"--jobs={job.id}", "--format=%T"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def restarts(job: Submission) -> bool:
    shown = subprocess.run(["scontrol", "show", "job", job.id], capture_output=True, text=True, check=True).stdout
    return "Restarts=1" in shown


def check(workspace: Workspace, local: Workspace, thing: str, kept: Stores) -> None:
    """The scores are right, and what was whole was not touched."""
    assert (workspace.folder / SCORES).read_bytes() == (local.folder / SCORES).read_bytes()
    now = workspace.stores(thing)
    assert len(now) == 12
    assert {path: now[path] for path in kept} == kept
    assert not list(workspace.folder.glob("resources/small/features/*/stores/*/.*"))


@pytest.fixture
def started(finished: Workspace) -> tuple[Workspace, Stores, list[Submission]]:
    """The finished workspace without one shard's faces; with the stores and the jobs that were there before."""
    return finished, forget(finished, "faces"), finished.submissions()


@pytest.fixture
def needs(finished: Workspace) -> Iterator[Callable[..., None]]:
    """Edits a rule's line in the profile's table, as a site would; the table is as it was afterwards."""
    profile = finished.folder / "profiles/slurm/config.yaml"
    original = profile.read_text()

    def edit(rule: str, gigabytes: float, hours: float) -> None:
        text, count = re.subn(rf'"{rule}": \([^)]*\)', f'"{rule}": ({gigabytes}, {hours})', original)
        assert count == 1
        profile.write_text(text)

    yield edit
    profile.write_text(original)


def test_cancelled_job(started, local):
    workspace, others, known = started
    head = workspace.start(*RUN, "--", SCORES)
    caught = catch(head, "faces", known)
    subprocess.run(["scancel", caught.job.id], check=True)
    assert head.end()["features_faces"] == 1
    assert state(caught.job) == "CANCELLED"
    check(workspace, local, "faces", others | caught.whole)


def test_time_limit(started, local, needs):
    workspace, others, known = started
    needs("features_faces", gigabytes=3, hours=1 / 60)
    head = workspace.start(*RUN, "--", SCORES)
    caught = catch(head, "faces", known)
    assert head.end()["features_faces"] == 1
    assert state(caught.job) == "TIMEOUT"
    check(workspace, local, "faces", others | caught.whole)


def test_memory(finished, local, needs):
    others, known = forget(finished, "visual"), finished.submissions()
    needs("features_visual", gigabytes=0.35, hours=1)
    assert finished.run(*RUN, "--", SCORES)["features_visual"] == 1
    tries = [job for job in finished.submissions() if job not in known and job.rule.startswith("features_visual_")]
    assert [job.state for job in tries] in (["FAILED", "COMPLETED"], ["FAILED", "FAILED", "COMPLETED"])
    (log,) = finished.folder.glob(f"logs/slurm/rule_features_visual/*/{tries[0].id}.log")
    assert "memory limit" in log.read_text()
    check(finished, local, "visual", others)


def text(file: Path) -> str:
    """What a file holds, or nothing: Snakemake removes a log before its job starts again."""
    try:
        return file.read_text()
    except FileNotFoundError:
        return ""


def kill_slurmd(node: str) -> None:
    os.kill(int((HOME / f"run/slurmd-{node}.pid").read_text()), signal.SIGKILL)


def test_dead_node(started, local, cluster):
    workspace, others, known = started
    head = workspace.start(*RUN, "--", SCORES)
    caught = catch(head, "faces", known)
    kill_slurmd(caught.job.node)
    for process in [*step_daemons(caught.job), *processes(caught.job.id)]:
        os.kill(process, signal.SIGKILL)
    wait_for(lambda: restarts(caught.job), "Slurm to queue the job of the dead node again")
    assert head.end()["features_faces"] == 1
    assert state(caught.job) == "COMPLETED"
    assert "Trying to restart job" not in head.output()
    check(workspace, local, "faces", others | caught.whole)


def step_daemons(job: Submission) -> list[int]:
    """Slurm's own processes that watch over a job on its node."""
    command = ["pgrep", "-f", rf"^slurmstepd: \[{job.id}\."]
    return [int(line) for line in subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()]


def test_node_cut_off_while_its_job_works_on(started, local, cluster):
    workspace, others, known = started
    head = workspace.start(*RUN, "--", SCORES)
    caught = catch(head, "faces", known)
    kill_slurmd(caught.job.node)
    log = workspace.folder / f"logs/faults/features_faces/{SHARD}.log"
    wait_for(lambda: "waiting for it" in text(log), "the second writer to find the first")
    assert caught.whole == {path: made for path, made in workspace.stores("faces").items() if path not in others}
    os.kill(caught.process, signal.SIGCONT)
    wait_for(lambda: len(workspace.stores("faces")) == 12, "the first writer's last store")
    by_first = workspace.stores("faces")
    assert head.end()["features_faces"] == 1
    check(workspace, local, "faces", others | caught.whole | by_first)


def test_killed_head_with_its_jobs_still_running(started, local):
    workspace, others, known = started
    head = workspace.start(*RUN, "--", SCORES)
    caught = catch(head, "faces", known)
    os.kill(head.process.pid, signal.SIGKILL)
    head.process.wait()
    assert state(caught.job) == "RUNNING"
    at_once = workspace.snakemake(*RUN, "--", SCORES)
    assert at_once.returncode != 0
    assert "cannot be locked" in at_once.stdout + at_once.stderr
    assert state(caught.job) == "RUNNING"
    assert workspace.snakemake(*RUN, "--unlock").returncode == 0
    again = workspace.start(*RUN, "--", SCORES)
    assert again.end()["features_faces"] == 1
    assert f"left in the queue: {caught.job.id}" in again.output()
    assert state(caught.job) == "CANCELLED"
    check(workspace, local, "faces", others | caught.whole)


def test_requeued_in_the_middle_and_then_ended(started, local):
    """The site queues the job again, and what it then becomes fails: a retry finishes the shard."""
    workspace, others, known = started
    head = workspace.start(*RUN, "--", SCORES)
    caught = catch(head, "faces", known)
    subprocess.run(["scontrol", "requeue", caught.job.id], check=True)
    wait_for(lambda: restarts(caught.job) and state(caught.job) == "RUNNING", "the job to start again")
    wait_for(lambda: processes(caught.job.id, "features_faces.py"), "its script")
    subprocess.run(["scancel", caught.job.id], check=True)
    assert head.end()["features_faces"] == 1
    assert state(caught.job) == "CANCELLED"
    tries = [job for job in workspace.submissions(f"features_faces_wildcards_{SHARD}") if job not in known]
    assert len(tries) == 2
    check(workspace, local, "faces", others | caught.whole)
