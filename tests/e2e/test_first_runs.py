"""Two first runs at once: no job writes to anything that another job could meet in, and both come to the same."""

from __future__ import annotations

import re

import pytest

from checkout import ROOT

pytestmark = pytest.mark.timeout(2700)


def _rules() -> str:
    return "\n".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))


def test_every_rule_ran_in_both(first_runs):
    ran = [set(re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)", said, re.MULTILINE)) for said in first_runs.output]
    rules = set(re.findall(r"^(?:rule|checkpoint) (\w+):", _rules(), re.MULTILINE))
    not_here = {"all", "models", "models_fetch", "tables", "ingest_demo"}
    not_here |= {"train_emotions", "train_backbone", "train_backbone_frames"}
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
