"""The papers' tables and the costs are targets of the workflow, each by itself and all at once."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import preloaded
from waver.cluster.planning import full_plan
from waver.cluster.settings import read_config
from waver.report.tables.names import FIGURE, TABLES

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "config/presets/demo.yaml"


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "snakemake"), "--cores", "1", "--snakefile", str(ROOT / "Snakefile")]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command += ["--directory", str(folder), "--configfile", str(DEMO), *arguments]
    return preloaded.run(command, cwd=ROOT, env=environment)


@pytest.mark.usefixtures("preloaded_snakemake")
def test_a_run_measures_each_trained_model_once_and_writes_the_tables_once():
    config = read_config([DEMO])
    jobs = full_plan(config).jobs
    trained = {(run.fusion, run.modalities) for run in config.train.runs}
    trained |= {(run.model, run.modalities) for run in config.videos.runs}
    assert jobs["train_cost"] == len(trained)
    assert jobs["report_tables"] == jobs["report_html"] == 1


def test_tables_are_targets_of_their_own(tmp_path):
    files = [f"results/demo/report/tables/{name}" for name in ("2025_table_17.tex", "2026_table_2.md", f"{FIGURE}.svg")]
    result = snakemake(tmp_path, "--dry-run", "--", "tables", *files)
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    assert "ingest_tables" in output
    assert "Writing the report" not in output


def test_a_run_beside_that_is_not_there_ends_with_a_sentence(tmp_path):
    result = snakemake(tmp_path, "--dry-run", "--config", "report={other_runs: {resnet18: results/nowhere}}")
    output = result.stdout + result.stderr
    assert result.returncode != 0
    assert "report.other_runs.resnet18: there is no results/nowhere/evaluate/scores.parquet" in output
    assert "Traceback" not in output


def test_every_table_is_named_in_the_docs():
    docs = (ROOT / "docs/tables.md").read_text()
    assert set(re.findall(r"`(\d{4}_\w+|compute)`", docs)) == set(TABLES)


def test_the_names_of_tables_load_nothing_heavy():
    source = (ROOT / "src/waver/report/tables/names.py").read_text()
    imported = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [node.module for node in imported] == ["__future__"]
