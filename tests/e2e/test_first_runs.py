"""Two first runs at once: no job writes to anything that another job could meet in, and both come to the same."""

from __future__ import annotations

import re
import socket
import subprocess
import sys

import pytest

from checkout import ROOT

pytestmark = pytest.mark.timeout(2700)

CONNECTS = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5)"
"""A job that asks another program for something, on this very computer."""


def _rules() -> str:
    return "\n".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))


def test_every_rule_ran_in_both(first_runs):
    ran = [set(re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)", said, re.MULTILINE)) for said in first_runs.output]
    rules = set(re.findall(r"^(?:rule|checkpoint) (\w+):", _rules(), re.MULTILINE))
    not_here = {"all", "models", "models_fetch", "tables", "ingest_demo"}
    not_here |= {"train_emotions", "train_backbone", "train_backbone_frames", "adapt_faces"}
    assert ran[0] - {"all"} == ran[1] - {"all"} == rules - not_here


def test_the_environment_is_only_read(first_runs):
    assert first_runs.touched == set()


def test_nothing_is_left_in_the_home_folder_or_among_temporary_files(first_runs):
    # Snakemake itself makes empty folders there
    assert [path for path in first_runs.home.rglob("*") if not path.is_dir()] == []
    assert list(first_runs.temporary.iterdir()) == []


def test_both_come_to_the_same_scores(first_runs):
    one, other = (run.results / "evaluate/scores.json" for run in first_runs.runs)
    assert one.read_bytes() == other.read_bytes()


def test_no_job_needs_a_network(first_runs):
    """Both runs ended well where nothing can be reached, not even by compiled code or a program that a job starts."""
    if not first_runs.offline:
        pytest.skip("this machine lets nobody make a network namespace (unshare --net)")
    with socket.create_server(("127.0.0.1", 0)) as server:
        job = ["sh", "-c", '"$@"', "sh", sys.executable, "-c", CONNECTS, str(server.getsockname()[1])]
        reached, kept = (
            subprocess.run([*before, *job], capture_output=True, text=True, check=False)
            for before in ([], first_runs.offline)
        )
    assert reached.returncode == 0, reached.stderr
    assert kept.returncode != 0
    assert "Network is unreachable" in kept.stderr
