"""What every job keeps to itself: modes of files, and the sidecar of what is published."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from checkout import ROOT

SCRIPT = """
import sys
from types import SimpleNamespace
from waver.workflow.job import job
class Named(list):
    def items(self): return ()
snakemake = SimpleNamespace(output=[sys.argv[1]], log=["logs/x/made/all.log"], threads=1, rule=sys.argv[2],
                            input=Named(), wildcards=Named(), params=Named())
with job(snakemake):
    from waver.io.atomic import atomic_write
    with atomic_write(sys.argv[1]) as file:
        file.write_text("whole")
"""


@pytest.mark.parametrize(
    ("output", "sidecar"),
    [("results/x/report/report.html", "logs/x/made/all.provenance.json"),
     ("results/x/report/tables/tables.json", "logs/x/made/all.provenance.json"),
     ("results/x/evaluate/scores.parquet", "results/x/evaluate/scores.parquet.provenance.json")],
)  # fmt: skip
def test_files_are_the_users_alone_and_the_published_folder_has_no_sidecar(tmp_path: Path, output: str, sidecar: str):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    rule = "report_html" if "report" in output else "made"
    command = ["sh", "-c", 'umask 022 && exec "$@"', "sh", sys.executable, "-c", SCRIPT, output, rule]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=60)
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert made == {output, sidecar, "logs/x/made/all.log"}
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in tmp_path.rglob("*")} == {0}
    record = json.loads((tmp_path / sidecar).read_text())
    assert record["rule"] == rule
    assert record["sensitivity"] == ({output: "aggregate"} if rule == "report_html" else {})
    assert record["output"] == {output: hashlib.sha256(b"whole").hexdigest()}
