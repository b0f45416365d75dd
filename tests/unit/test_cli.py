from __future__ import annotations

import os
import subprocess
import sys

import pytest

import waver
from checkout import ROOT
from waver.cli import COMMANDS, main
from waver.cluster.planning import require_workflow
from waver.errors import WaverError

HELP = """
import sys
from waver.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert end.code == 0
print("heavy:", [name for name in ("torch", "cv2", "zarr", "snakemake", "matplotlib") if name in sys.modules])
"""


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--help"], *([command, "--help"] for command in COMMANDS)], ids=" ".join)
def test_help_loads_nothing_heavy(arguments, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    result = subprocess.run(
        [sys.executable, "-c", HELP, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert result.stdout.startswith(f"usage: waver {arguments[0] if arguments[1:] else '['}"), result.stderr
    assert result.stdout.endswith("heavy: []\n")


def test_list_of_commands_names_each_with_a_line(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    listed = capsys.readouterr().out.split("commands:\n")[1].split("\n\n")[0]
    assert [line.split()[0] for line in listed.splitlines()] == list(COMMANDS)


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"waver {waver.__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["unknown"]])
def test_a_command_that_is_none_ends_with_those_that_are(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    output = capsys.readouterr().err
    assert all(command in output for command in COMMANDS)


WITHOUT_CONFIG = ("predict", "export", "import-review", "export-model")


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in WITHOUT_CONFIG])
def test_what_the_user_has_to_mend_is_one_sentence(command, capsys):
    needed = {"forget": ["80001"]}
    assert main([command, *needed.get(command, []), "--config", "unknown=1"]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"waver {command}: the config has 1 mistake(s): unknown is not a known key")
    assert output.err.count("\n") == 1


def test_commands_of_the_workflow_want_snakemake(monkeypatch):
    require_workflow()
    monkeypatch.setitem(sys.modules, "snakemake", None)
    with pytest.raises(WaverError, match=r"^snakemake cannot be imported by .*; run make setup"):
        require_workflow()


def test_what_any_command_writes_is_the_users_alone(tmp_path, monkeypatch, capsys):
    before = os.umask(0o022)
    try:
        monkeypatch.chdir(tmp_path)
        main(["forget", "P07", "--in", "nowhere"])
        (tmp_path / "written").touch()
    finally:
        os.umask(before)
    assert (tmp_path / "written").stat().st_mode & 0o077 == 0
