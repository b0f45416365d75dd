"""What every job keeps to itself: modes of files, the sidecar of what is published, and what texts of errors quote."""

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
import json, sys
from contextlib import suppress
from types import SimpleNamespace
from waver.workflow.job import job
from waver.io.atomic import atomic_write
class Named(list):
    def items(self): return ()
def begin(number, output, rule):
    return job(SimpleNamespace(output=[output], log=[f"logs/x/made/{number}.log"], threads=1, rule=rule,
                               input=Named(), wildcards=Named(), params=Named()))
outputs = json.loads(sys.argv[1])
for number, (output, rule) in enumerate(outputs):
    with begin(number, output, rule), atomic_write(output) as file:
        file.write_text("whole")
for fails in ("{}['Ann Smith']", "int('Ann Smith 555-0199')",
              "__import__('yaml').safe_load('a: [Ann Smith')", "open('/none/Ann Smith')",
              "__import__('pyarrow').array(['Ann Smith'], 'int8')"):
    with suppress(SystemExit), begin("failed", "results/x/none", "made"):
        eval(fails)
    assert "Ann Smith" in open("logs/x/made/failed.log").read(), fails
"""
OUTPUTS = {
    "results/x/report/report.html": "logs/x/made/0.provenance.json",
    "results/x/report/tables/tables.json": "logs/x/made/1.provenance.json",
    "results/x/evaluate/scores.parquet": "results/x/evaluate/scores.parquet.provenance.json",
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Where some jobs have run under a common umask, and what they told the terminal."""
    folder = tmp_path_factory.mktemp("jobs")
    given = [(output, "report_html" if "report" in output else "made") for output in OUTPUTS]
    command = ["sh", "-c", 'umask 022 && exec "$@"', "sh", sys.executable, "-c", SCRIPT, json.dumps(given)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout + done.stderr


def test_files_are_the_users_alone_and_the_published_folder_has_no_sidecar(ran: tuple[Path, str]):
    folder, _ = ran
    made = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    logs = {f"logs/x/made/{name}.log" for name in ("0", "1", "2", "failed")}
    assert made == {*OUTPUTS, *OUTPUTS.values()} | logs
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in folder.rglob("*")} == {0}
    for output, sidecar in OUTPUTS.items():
        record = json.loads((folder / sidecar).read_text())
        published = "report" in output
        assert record["rule"] == ("report_html" if published else "made")
        assert record["sensitivity"] == ({output: "aggregate"} if published else {})
        assert record["output"] == {output: hashlib.sha256(b"whole").hexdigest()}


def test_what_an_error_quotes_stays_in_the_log(ran: tuple[Path, str]):
    actual = ran[1]
    assert "Ann" not in actual
    assert "Traceback" not in actual
    assert [line.split()[1] for line in actual.splitlines()] == [
        "KeyError", "ValueError", "ParserError", "FileNotFoundError", "ArrowInvalid",
    ]  # fmt: skip
    assert actual.count("are in logs/x/made/failed.log") == 5
