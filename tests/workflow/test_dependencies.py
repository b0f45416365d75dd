"""Declared dependencies: they cover what the code imports, and the locks are among what they allow."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import waver
from checkout import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCKED_AS = {"onnxruntime": "onnxruntime-gpu"}
"""The lock has the build that also knows GPUs; its modules are the same."""
NOT_IMPORTED = {"accelerate", "gguf", "snakemake", "snakemake-executor-plugin-slurm", "tensorboard"}
"""What other programs and libraries load: transformers for GGUF files, the command snakemake, its executor,
torch.utils.tensorboard."""

USERS_OWN = {"datasets"}
"""Modules that Waver hands data to where users have installed them; its environment is without them."""

LOCKED_ALONE = {"whisperx"}
"""In envs/lock.in: it asks for other versions than Waver's, so that no installer could meet both."""


def declared(*lists: list[str]) -> dict[str, Requirement]:
    """Name -> requirement, without that of an extra of Waver itself."""
    found = [Requirement(line) for lines in lists for line in lines]
    return {canonicalize_name(one.name): one for one in found if one.name != "waver"}


RUNTIME = declared(PROJECT["dependencies"], EXTRAS["workflow"])


def imported(folder: str = "src/waver") -> set[str]:
    """Distributions of the modules that the files of a folder import anywhere, but for its own and those of tests."""
    names = set()
    paths = list((ROOT / folder).rglob("*.py"))
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(str(node.module).split(".")[0])
    known = packages_distributions()
    own = set(sys.stdlib_module_names) | USERS_OWN | {"waver"}
    own |= {path.stem for path in (*paths, *(ROOT / "tests").iterdir())} if folder != "src/waver" else set()
    real = {locked: name for name, locked in LOCKED_AS.items()}
    found = {canonicalize_name(known[name][0]) for name in names - own}
    return {real.get(name, name) for name in found}


def test_every_import_is_declared_and_every_declaration_is_imported():
    assert imported() - LOCKED_ALONE | NOT_IMPORTED == set(RUNTIME)
    assert imported() >= LOCKED_ALONE
    assert set((ROOT / "envs/lock.in").read_text().splitlines()) >= LOCKED_ALONE


def test_every_import_of_the_benches_is_declared():
    assert imported("bench") - LOCKED_ALONE <= set(declared(PROJECT["dependencies"], *EXTRAS.values()))


@pytest.mark.parametrize("lock", ["cpu.txt", "gpu.txt"])
def test_every_locked_version_is_within_its_range(lock):
    lines = (ROOT / "envs" / lock).read_text().splitlines()
    pins = dict(line.split()[0].split("==") for line in lines if "==" in line)
    ranges = RUNTIME | declared(*EXTRAS.values())
    outside = {name: pins[LOCKED_AS.get(name, name)] for name, one in ranges.items()
               if not one.specifier.contains(pins[LOCKED_AS.get(name, name)])}  # fmt: skip
    assert outside == {}


def test_every_range_has_both_ends():
    open_ended = {name for name, one in RUNTIME.items() if {part.operator for part in one.specifier} != {">=", "<"}}
    assert open_ended == set()


def test_a_release_has_one_number():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    title = re.search(r"^## (\d\S*) \((\d{4}-\d\d-\d\d)\)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert (citation["version"], str(citation["date-released"])) == title.groups()
    assert citation["version"] == waver.__version__
