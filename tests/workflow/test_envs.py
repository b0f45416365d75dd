"""Conda environments and the container: wired as Snakemake wants them, with the pins of the locks.

No conda or Apptainer is used: a stand-in answers as conda does and makes a bare virtual environment
that sees the installed packages, so that the generated script finds every pin fulfilled or fails.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from checkout import ROOT, copy_parts

ENVS = ROOT / "envs"
TARGET = "resources/models/mini_xception/asset.json"
FAKE_CONDA = """\
#!/bin/bash
echo "$*" >> {log}
case "$1 $2" in
  "info --json") echo '{{"conda_prefix": "{prefix}", "platform": "linux-64", "envs": []}}' ;;
  "--version ") echo "conda 25.7.0" ;;
  "clean -y") ;;
  "config --get") echo '{{"get": {{"channel_priority": "strict"}}}}' ;;
  "env create")
    while [ $# -gt 0 ]; do
      case "$1" in --file) file=$2 ;; --prefix) env=$2 ;; esac
      shift
    done
    grep -q '^channels:' "$file" || exit 1
    {python} -m venv --without-pip "$env" || exit 1
    echo {packages} > "$env/lib/python3.11/site-packages/installed.pth"
    echo 'import sys; open("{log}", "a").write("python of " + sys.prefix + "\\n")' \\
      > "$env/lib/python3.11/site-packages/sitecustomize.py" ;;
  *) echo "conda $*: not known" >&2; exit 2 ;;
esac
"""
ACTIVATE = 'export CONDA_PREFIX="$1" PATH="$1/bin:$PATH"\n'


def pins(*locks: str) -> set[str]:
    """Lines of pins, with their hashes."""
    lines = [line.strip() for lock in locks for line in (ENVS / lock).read_text().splitlines()]
    return {line for line in lines if line and not line.startswith(("#", "--"))}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    folder = copy_parts(tmp_path_factory.mktemp("conda"))
    prefix = folder / "fake"
    (prefix / "bin").mkdir(parents=True)
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    base = Path(sys.base_prefix) / "bin/python3"
    values = {"log": folder / "conda.log", "prefix": prefix, "python": base, "packages": packages}
    (prefix / "bin/conda").write_text(FAKE_CONDA.format(**values))
    (prefix / "bin/conda").chmod(0o755)
    (prefix / "bin/activate").write_text(ACTIVATE)
    return folder


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "snakemake"), "--sdm", "conda", "--cores", "1", *arguments]
    command += ["--configfile", "config/presets/demo.yaml"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["PATH"] = f"{folder / 'fake/bin'}:{environment['PATH']}"
    environment["PIP_NO_INDEX"] = "1"
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_conda_environment_is_made_and_its_python_runs_a_rule(checkout):
    made = snakemake(checkout, TARGET, "--conda-create-envs-only")
    assert made.returncode == 0, made.stdout + made.stderr
    (environment,) = (path for path in (checkout / ".snakemake/conda").iterdir() if (path / "bin/python").exists())
    assert "Running post-deploy script" in made.stderr
    log = checkout / "conda.log"
    log.write_text("")
    ran = snakemake(checkout, TARGET)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (checkout / TARGET).is_file()
    assert f"python of {environment}" in log.read_text()
    assert "env create" not in log.read_text()


def test_a_pin_that_is_not_fulfilled_fails_the_environment(checkout):
    script = checkout / "envs/waver.post-deploy.sh"
    right = script.read_text()
    try:
        script.write_text(right.replace("zarr==3.1.6 ", "zarr==0.0.1 "))
        made = snakemake(checkout, TARGET, "--conda-create-envs-only")
    finally:
        script.write_text(right)
    assert made.returncode != 0
    assert "zarr==0.0.1" in made.stdout + made.stderr


@pytest.mark.parametrize(("name", "locks"), [("waver", ["cpu.txt"]), ("waver-gpu", ["gpu.txt"])])
def test_an_environment_installs_the_pins_of_its_locks_and_no_others(name, locks):
    content = yaml.safe_load((ENVS / f"{name}.yaml").read_text())
    assert content["channels"] == ["conda-forge"]
    assert content["dependencies"] == ["python=3.11", "pip"]
    script = (ENVS / f"{name}.post-deploy.sh").read_text()
    blocks = [set(block.splitlines()) for block in re.findall(r"<<'PINS'[ |true]*\n(.*?)\nPINS", script, re.DOTALL)]
    assert len(blocks) == (3 if name == "waver" else 1)
    assert pins(*locks, "embedded.txt") in blocks
    if name == "waver":
        assert blocks[0] == pins("torch-cpu.txt")
        # the libraries of torch's CUDA build, where that was served
        assert blocks[2] == pins("gpu.txt") - pins("cpu.txt")


def test_the_container_installs_by_the_scripts_of_the_environments():
    recipe = (ENVS / "waver.def").read_text()
    sections = dict(re.findall(r"^%(\w+)\n(.*?)(?=^%|\Z)", recipe, re.MULTILINE | re.DOTALL))
    # a tag would be another image tomorrow, and Apptainer takes no tag beside a digest
    assert re.search(r"^From: python@sha256:[0-9a-f]{64}$", recipe, re.MULTILINE)
    assert "# python:3.11-slim-bookworm of " in recipe
    name, default = sections["arguments"].strip().split("=")
    source, target = sections["files"].split("/opt/")[0].strip(), "/opt/" + sections["files"].split("/opt/")[1].strip()
    for environment in (default, "waver-gpu"):
        assert (ROOT / source.replace("{{ " + name + " }}", environment)).is_file()
    assert f"bash {target}" in sections["post"]
    assert "pip" not in sections["post"], "pins are written in one place alone"
    modules = re.search(r"import ([\w, ]+)", sections["test"]).group(1)
    subprocess.run(
        [sys.executable, "-c", f"import importlib.util as i; assert all(map(i.find_spec, {modules.split(', ')}))"],
        check=True,
    )
