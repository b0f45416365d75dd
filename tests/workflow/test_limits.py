"""Tests end: a worker that dies is one failure, and no test outruns its limit or leaves a process behind.

Pytest runs here on made-up tests that crash and hang.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from checkout import ROOT
from guard import Guard

SEGFAULT = """
import os, signal, subprocess
def die():
    subprocess.Popen(["sleep", os.environ["NUMBER"]], start_new_session=True)
    os.kill(os.getpid(), signal.SIGSEGV)
"""
EXIT = "import os, pytest\ndef die(): os._exit(0)\n"
PASS = "def test_1(): pass\ndef test_2(): pass\n"
PASSING = {f"test_{name}.py": PASS for name in "bcde"}
"""Files that follow; ``--dist loadfile`` starts with those of the most tests."""


@dataclass(frozen=True)
class Ended:
    """What a run of pytest came to."""

    code: int
    text: str
    seconds: float

    def named(self, outcome: str) -> list[str]:
        """Tests of an outcome, each as often as it is told."""
        return sorted(re.findall(rf"^{outcome} (\S+)", self.text.split("short test summary")[-1], re.MULTILINE))


def run_pytest(folder: Path, files: dict[str, str], *arguments: str, workers: int = 2) -> Ended:
    """Run pytest with the plugin of this folder's tests on files of tests."""
    for name, text in ({"pytest.ini": "[pytest]\n"} | files).items():
        (folder / name).write_text(text)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-rA",
        "-p",
        "xdist",
        "-p",
        "limits",
        "-p",
        "workers",
        "-p",
        "no:cacheprovider",
    ]
    command += ["-n", str(workers), "--dist", "loadfile"] if workers else []
    changes = {"PYTHONPATH": str(ROOT / "tests"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "200"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    start = time.monotonic()
    ended = subprocess.run(
        [*command, *arguments], cwd=folder, env=inherited | changes, capture_output=True, text=True, timeout=300
    )
    return Ended(ended.returncode, ended.stdout + ended.stderr, time.monotonic() - start)


def running(number: str) -> list[str]:
    """Processes that sleep so many seconds."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if process.read_bytes() == f"sleep\0{number}\0".encode():
                found.append(process.parent.name)
        except OSError:
            continue
    return found


def none_left(number: str) -> bool:
    """Wait for the end of the processes that sleep so many seconds."""
    end = time.monotonic() + 30
    while running(number) and time.monotonic() < end:
        time.sleep(0.1)
    return running(number) == []


SHARED = "import pytest\n@pytest.fixture(scope='session')\ndef shared():\n    yield 1\n"
CRASHES = {
    "last of a file, alone in a file, while a fixture is shared": (
        {
            "conftest.py": SHARED,
            "test_a.py": EXIT + "@pytest.mark.parametrize('n', range(4))\ndef test_1(n):\n    if n == 3: die()\n",
            "test_f.py": EXIT + "def test_1(shared): pass\ndef test_2(shared): die()\ndef test_3(shared): pass\n",
            "test_z.py": SEGFAULT + "def test_1(): die()\n",
        },
        ["test_a.py::test_1[3]", "test_f.py::test_2", "test_z.py::test_1"],
        13,
    ),
    "both workers, and those after them": (
        {
            f"test_{name}.py": SEGFAULT + "def test_1(): die()\ndef test_2(): die()\ndef test_3(): pass\n"
            for name in "ay"
        },
        [f"test_{name}.py::test_{number}" for name in "ay" for number in (1, 2)],
        10,
    ),
}


@pytest.mark.parametrize(("files", "failed", "passed"), CRASHES.values(), ids=CRASHES)
def test_a_worker_that_dies_is_one_failure_and_the_other_tests_run(tmp_path, monkeypatch, files, failed, passed):
    number = f"{os.getpid()}{len(failed)}"
    monkeypatch.setenv("NUMBER", number)
    ended = run_pytest(tmp_path, PASSING | files)
    assert ended.code == 1, ended.text
    assert ended.seconds < 120
    crashed = re.findall(r"^worker 'gw\d' crashed while running '(\S+)' after \d+ s$", ended.text, re.MULTILINE)
    assert "workers that died: gw" in ended.text
    assert sorted(crashed) == ended.named("FAILED") == failed
    assert len(ended.named("PASSED")) == passed
    assert none_left(number)


def test_more_deaths_than_replacements_end_the_run(tmp_path):
    files = {"test_a.py": EXIT + "".join(f"def test_{n}(): die()\n" for n in range(5))}
    ended = run_pytest(tmp_path, PASSING | files, "--max-worker-restart", "1")
    assert ended.code == 1, ended.text
    assert ended.named("FAILED") == ["test_a.py::test_0", "test_a.py::test_1"]
    assert "maximum crashed workers reached: 1" in ended.text


ELSEWHERE = {
    "after the last test": "def pytest_sessionfinish(session):\n    if hasattr(session.config, 'workerinput'): die()\n",
    "before the first test": "def pytest_collection_finish():\n    die()\n",
    "at the end of a fixture": "@pytest.fixture(autouse=True, scope='session')\ndef fix():\n    yield\n    die()\n",
}


@pytest.mark.parametrize("text", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_worker_that_dies_outside_a_test_fails_the_run(tmp_path, text):
    ended = run_pytest(tmp_path, PASSING | {"conftest.py": EXIT + text}, "--max-worker-restart", "2")
    assert ended.code != 0, ended.text
    assert "workers that died: gw" in ended.text


HANGS = """
import ctypes, itertools, os, subprocess, time
import pytest

pytestmark = pytest.mark.timeout(2)
TREE = "sleep {number} & setsid sleep {number} & sleep {number}"

@pytest.fixture(scope="module")
def stuck():
    subprocess.run(TREE.format(number=os.environ["NUMBER"]), shell=True)

@pytest.fixture
def stuck_at_its_end():
    yield
    time.sleep(60)

def test_sleeps():
    time.sleep(60)

def test_waits_for_a_tree_of_processes():
    subprocess.run(TREE.format(number=os.environ["NUMBER"]), shell=True)

def test_fixture(stuck): pass

def test_the_same_fixture(stuck): pass

def test_fails_and_then_its_fixture_is_stuck(stuck_at_its_end):
    assert False, "the test's own failure"

@pytest.mark.timeout(60)
def test_quick(): pass

def test_in_c():
    subprocess.Popen(["sleep", os.environ["NUMBER"]], start_new_session=True, env={})
    time.sleep(0.6)
    sum(itertools.repeat(0))
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_no_test_outruns_its_limit_or_leaves_a_process_behind(tmp_path, monkeypatch, workers):
    number = f"{os.getpid()}{workers}"
    monkeypatch.setenv("NUMBER", number)
    ended = run_pytest(tmp_path, {"test_a.py": HANGS}, workers=workers)
    assert ended.code not in (0, 5), ended.text
    assert ended.seconds < 120
    assert none_left(number)
    over = set(re.findall(r"^E +Failed: test_a.py::(\w+) ran longer than its limit of 2 s", ended.text, re.MULTILINE))
    assert "test_a.py::test_in_c ran longer than its limit of 2 s and could not be interrupted" in ended.text
    if workers:  # without them no process is left that would tell the rest
        assert ended.named("PASSED") == ["test_a.py::test_quick"]
        assert over == {"test_sleeps", "test_waits_for_a_tree_of_processes", "test_fixture"} | {
            "test_fails_and_then_its_fixture_is_stuck"
        }
        assert "the test's own failure" in ended.text
        assert "test_a.py::test_the_same_fixture" in ended.named("ERROR")
        assert "crashed while running 'test_a.py::test_in_c'" in ended.text


NEXT_TEST = """
import os, signal, subprocess, sys, time
def next_test(*_):
    subprocess.Popen(["sleep", sys.argv[2]])
    print("next", flush=True)
signal.signal(signal.SIGALRM, next_test)
subprocess.Popen(["sleep", sys.argv[1]])
print("first", flush=True)
time.sleep(60)
"""


def test_what_the_next_test_starts_outlives_the_interruption_of_the_one_before():
    """On a busy machine the next test begins while the guard still kills: its processes are not killed with them."""
    first, following = f"7{os.getpid()}", f"8{os.getpid()}"
    runner = subprocess.Popen([sys.executable, "-c", NEXT_TEST, first, following], stdout=subprocess.PIPE, text=True)
    guard = Guard(runner.pid, "no.such.mark")
    try:
        assert runner.stdout.readline() == "first\n"
        guard.told("0.01 test_first")
        time.sleep(0.05)
        guard.watch()
        assert runner.stdout.readline() == "next\n"
        assert running(first) == []
        guard.told("60 test_next")
        guard.watch()
        assert len(running(following)) == 1
    finally:
        guard.kill_started()
        runner.kill()
        runner.communicate()
    assert none_left(following)


@pytest.mark.parametrize("target", ["test", "test-quick"])
def test_the_whole_run_has_a_limit_too(tmp_path, target):
    """What hangs outside of tests, here while they are collected, ends with the command's own limit."""
    make = ["make", "--dry-run", "--no-print-directory", target, "TEST_LIMIT_S=4"]
    result = subprocess.run(
        [*make, f"PYTHON_BIN={Path(sys.executable).parent}"], cwd=ROOT, capture_output=True, text=True
    )
    command = result.stdout.replace("\\\n", " ").strip().splitlines()[-1]
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    for folder in ("tests/unit", "tests/contract"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "tests/unit/test_a.py").write_text("import time\ntime.sleep(600)\n")
    environment = os.environ | {"PYTHONPATH": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist"}
    start = time.monotonic()
    ended = subprocess.run(command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ended.returncode == 124, ended.stdout + ended.stderr
    assert "sending signal INT" in ended.stderr
    assert time.monotonic() - start < 120
