"""What ``pip install .`` brings: a wheel with all of Waver, which runs without the checkout it was built from.

The wheel is installed into an environment of its own, which sees the packages of this one behind its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import waver
from checkout import ROOT, copy_parts

SOURCES = ("pyproject.toml", "README.md", "LICENSE", "NOTICE", "src")
EXTRA = ("matplotlib", "onnx", "snakemake", "tensorboard", "yte")
IMPORT_ALL = f"""
import importlib, pkgutil, sys
import waver
names = [module.name for module in pkgutil.walk_packages(waver.__path__, "waver.")]
report = [name for name in names if name.startswith("waver.report")]
for extra in {EXTRA}:  # of the extra "workflow"
    sys.modules[extra] = None
for name in names:
    if name not in report:
        importlib.import_module(name)
for extra in {EXTRA}:
    del sys.modules[extra]
for name in report:
    importlib.import_module(name)
print(len(names), {{str(module.__file__) for name, module in sys.modules.items()
      if name.split(".")[0] == "waver" and not module.__file__.startswith(sys.prefix)}})
"""


@dataclass(frozen=True)
class Environment:
    """A virtual environment and the wheel that it holds, if any."""

    folder: Path
    wheel: Path | None = None

    @property
    def packages(self) -> Path:
        return self.folder / "lib/python3.11/site-packages"

    def run(self, *command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        program, *arguments = command
        return subprocess.run(
            [self.folder / "bin" / program, *arguments], cwd=cwd, env=environment, capture_output=True, text=True
        )


def make_environment(folder: Path, *paths: Path) -> Environment:
    """An empty environment whose path goes on with that of this one's packages, and then with ``paths``."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    made = Environment(folder)
    behind = [path for path in sys.path if path.endswith("site-packages")]
    (made.packages / "behind.pth").write_text("\n".join(map(str, [*behind, *paths])) + "\n")
    return made


def pip(python: Path | str, *arguments: str | Path) -> None:
    command: Sequence[str | Path] = [python, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run([*command, "--no-deps", "--no-index"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Environment:
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "source").mkdir()
    copy_parts(folder / "source", SOURCES)
    pip(sys.executable, "wheel", "--no-build-isolation", "--wheel-dir", folder, folder / "source")
    (wheel,) = folder.glob("waver-*.whl")
    made = make_environment(folder / "environment")
    pip(made.folder / "bin/python", "install", "--no-compile", "--ignore-installed", wheel)
    return Environment(made.folder, wheel)


def test_the_wheel_holds_every_file_of_the_library(installed):
    own = [path.relative_to(ROOT / "src") for path in (ROOT / "src/waver").rglob("*") if path.is_file()]
    wanted = {str(path) for path in own if "__pycache__" not in path.parts}
    held = zipfile.ZipFile(installed.wheel).namelist()
    assert {name for name in held if name.startswith("waver/")} == wanted
    assert {Path(name).name for name in held} >= {"LICENSE", "NOTICE"}


def test_every_module_is_imported_from_the_wheel_and_only_the_report_wants_the_extra(installed, tmp_path):
    done = installed.run("python", "-c", IMPORT_ALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    count, elsewhere = done.stdout.strip().split(" ", 1)
    assert int(count) > 200
    assert elsewhere == "set()"


def test_the_command_runs_anywhere_and_says_where_the_workflow_is(installed, tmp_path):
    assert installed.run("waver", "--version", cwd=tmp_path).stdout == f"waver {waver.__version__}\n"
    assert "doctor" in installed.run("waver", "--help", cwd=tmp_path).stdout
    for command in ("doctor", "forecast"):
        assert installed.run("waver", command, "--help", cwd=tmp_path).stdout.startswith(f"usage: waver {command}")
        done = installed.run("waver", command, cwd=tmp_path)
        assert done.returncode == 1
        assert done.stderr.startswith(f"waver {command}: {installed.packages}/waver was installed without the workflow")
        assert done.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    return copy_parts(tmp_path_factory.mktemp("checkout"))


COMMAND = ["-m", "snakemake", "--cores", "1", "--configfile", "config/presets/demo.yaml", "--"]
TARGET = "resources/models/mini_xception/asset.json"


def test_jobs_run_the_code_of_their_checkout_whatever_the_environment_knows(checkout, tmp_path):
    (tmp_path / "other/waver").mkdir(parents=True)
    (tmp_path / "other/waver/__init__.py").write_text("raise ImportError('another Waver')\n")
    environment = make_environment(tmp_path / "environment", tmp_path / "other")
    assert "another Waver" in environment.run("python", "-c", "import waver", cwd=tmp_path).stderr
    done = environment.run("python", *COMMAND, TARGET, cwd=checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (checkout / TARGET).is_file()


def test_a_run_refuses_an_installed_waver_that_its_jobs_might_take(checkout, installed):
    done = installed.run("python", *COMMAND[:-1], "--dry-run", cwd=checkout)
    assert done.returncode == 1
    assert f"jobs would run the Waver in {installed.packages} instead" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
