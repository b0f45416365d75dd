"""The locks: every package is needed, and installed only as the bytes that were locked."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from checkout import ROOT

ENVS = ROOT / "envs"
sys.path.insert(0, str(ENVS))
import generate  # noqa: E402 (a program, in no package)
import lock  # noqa: E402

LOCKS = ("cpu.txt", "gpu.txt", "embedded.txt", "torch-cpu.txt", "fuzz.txt")


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_the_hash_of_a_wheel(name):
    assert {"--require-hashes", "--only-binary :all:"} < set((ENVS / name).read_text().splitlines())
    for entry in generate.entries(name):
        assert re.fullmatch(r"[a-z0-9-]+==[\w.+]+( --hash=sha256:[0-9a-f]{64})+", entry), entry


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A folder with one package as a wheel and as a source distribution, and the wheel's hash."""
    folder = tmp_path_factory.mktemp("packages")
    wheel = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("tiny.py", "")
        file.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        file.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("tiny-1.0.dist-info/RECORD", "")
    source = folder / "source/other-1.0.tar.gz"
    source.parent.mkdir()
    with tarfile.open(source, "w:gz") as file:
        file.add(ROOT / "LICENSE", "other-1.0/LICENSE")
    return folder, hashlib.sha256(wheel.read_bytes()).hexdigest(), hashlib.sha256(source.read_bytes()).hexdigest()


def installed_by_a_lock(folder: Path, entry: str) -> subprocess.CompletedProcess[str]:
    """What pip says to a lock of one entry, under the options of the real one."""
    options = [line for line in (ENVS / "cpu.txt").read_text().splitlines() if line.startswith("--")]
    file = folder / "lock.txt"
    file.write_text("\n".join([*options, entry]) + "\n")
    pip = [sys.executable, "-m", "pip", "install", "--isolated", "--dry-run", "--no-deps", "--no-index"]
    links = ["--find-links", folder, "--find-links", folder / "source"]
    return subprocess.run([*pip, *links, "-r", file], capture_output=True, text=True, check=False)


def test_other_bytes_than_the_locked_ones_are_refused(packages):
    folder, right, source = packages
    assert installed_by_a_lock(folder, f"tiny==1.0 --hash=sha256:{right}").returncode == 0
    wrong = installed_by_a_lock(folder, f"tiny==1.0 --hash=sha256:{'0' * 64}")
    assert wrong.returncode != 0
    assert "DO NOT MATCH THE HASHES" in wrong.stderr
    # what would run code of the package's own in order to be installed
    built = installed_by_a_lock(folder, f"other==1.0 --hash=sha256:{source}")
    assert built.returncode != 0
    assert "No matching distribution" in built.stderr


def listed(name: str) -> list[Requirement]:
    lines = [line for line in (ENVS / name).read_text().splitlines() if line and not line.startswith("#")]
    return [Requirement(line) for line in lines]


def needed() -> set[str]:
    """All that pyproject.toml and lock.in require in turn, without what the locks leave out and without CUDA."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    open_ones = [Requirement(line) for lines in lists for line in lines] + listed("lock.in")
    left_out = {canonicalize_name(one.name) for one in listed("overrides.txt") if one.marker} | {"waver"}
    found: set[tuple[str, str]] = set()
    while open_ones:
        one = open_ones.pop()
        extras = ["", *one.extras]
        new = {(canonicalize_name(one.name), extra) for extra in extras} - found
        if not new or any(name in left_out or name.startswith(generate.CUDA) for name, _ in new):
            continue
        found |= new
        declared = [Requirement(line) for line in requires(one.name) or []]
        for other in declared:
            if other.marker is None or any(other.marker.evaluate({"extra": extra}) for extra in extras):
                other.marker = None
                open_ones.append(other)
    return {name for name, _ in found}


def names(name: str) -> set[str]:
    return {pin.split("==")[0] for pin in generate.pins(name)}


def test_every_pin_is_needed_and_everything_needed_is_pinned():
    assert names("cpu.txt") == needed()


def test_on_gpus_there_are_the_libraries_of_cuda_as_well_and_no_other():
    more = set(generate.entries("gpu.txt")) - set(generate.entries("cpu.txt"))
    assert set(generate.entries("cpu.txt")) < set(generate.entries("gpu.txt"))
    assert all(entry.startswith(generate.CUDA) for entry in more)


def test_the_build_of_torch_for_cpus_is_of_the_locked_version():
    (pin,) = generate.pins("torch-cpu.txt")
    assert pin.endswith("+cpu")
    assert pin.removesuffix("+cpu") in generate.pins("cpu.txt")
    # pip prefers a file whose hash the registry states, so that one line with both would never take it
    assert not set(generate.entries("torch-cpu.txt")[0].split()) & set(
        next(entry for entry in generate.entries("cpu.txt") if entry.startswith("torch==")).split()
    )


FILES = """
[[packages]]
name = "two-wheels"
version = "1"
wheels = [{ hashes = { sha256 = "bb" } }, { hashes = { sha256 = "aa" } }]
[[packages]]
name = "sources-alone"
version = "1"
sdist = { hashes = { sha256 = "cc" } }
"""


def test_a_renewed_lock_refuses_what_has_no_wheel():
    sums = lock.wheel_sums(FILES)
    assert lock.lines(["two-wheels==1"], sums) == "two-wheels==1 --hash=sha256:aa --hash=sha256:bb\n"
    with pytest.raises(SystemExit, match="sources-alone==1 has no wheel"):
        lock.lines(["sources-alone==1"], sums)
