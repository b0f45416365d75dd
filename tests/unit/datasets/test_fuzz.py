"""Readers against thousands of hostile texts: nothing but the errors of a reader, and a second for 100 KB.

Some hundreds of each reader run with all tests, the same on any machine; ``-m fuzz`` runs ten minutes of CPU
(WAVER_FUZZ_S: other seconds), half of them guided by coverage where atheris is installed (``envs/fuzz.txt``).
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from attacked_readers import Attacked, readers
from fuzzing import texts

from checkout import ROOT

GUIDED = importlib.util.find_spec("atheris") is not None
LONGEST = 100_000
SEEDS = 300
"""Of each reader: a number, not a time, so that every machine tries the same texts."""
MOST_S = 3.0
"""Per 100 KB: a second, on a machine that does other work as well."""


def attack(reader: Attacked, folder: Path, seeds: Iterable[int]) -> None:
    """A text from each seed."""
    file = folder / reader.file
    for seed in seeds:
        text = texts(reader.sound, reader.parts, seed, LONGEST)
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        started = time.process_time()
        problem = reader.problem(file)
        assert problem is None or "\n" not in problem, f"seed {seed}: {problem}"
        spent = time.process_time() - started
        assert spent < MOST_S * max(0.3, len(text) / LONGEST), f"seed {seed}: {spent:.1f} s"


def for_seconds(seconds: float, first: int) -> Iterator[int]:
    """Seeds, for so many CPU seconds."""
    until = time.process_time() + seconds
    yield from itertools.takewhile(lambda _: time.process_time() < until, itertools.count(first))


@pytest.fixture
def seconds(request: pytest.FixtureRequest) -> float:
    """CPU seconds of each reader and way of attack."""
    if "fuzz" not in request.config.getoption("markexpr"):
        pytest.skip("runs with make test-fuzz")
    return float(os.environ.get("WAVER_FUZZ_S", "600")) / len(readers()) / (2 if GUIDED else 1)


@pytest.mark.parametrize("name", readers())
def test_a_reader_meets_hostile_texts(tmp_path, name):
    attack(readers()[name], tmp_path, range(SEEDS))


@pytest.mark.fuzz
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", readers())
def test_a_reader_meets_hostile_texts_for_long(tmp_path, name, seconds):
    attack(readers()[name], tmp_path, for_seconds(seconds, first=1_000_000))


@pytest.mark.fuzz
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not GUIDED, reason="atheris is not installed (envs/fuzz.txt)")
@pytest.mark.parametrize("name", readers())
def test_a_reader_meets_texts_that_reach_more_of_it(tmp_path, name, seconds):
    command = [sys.executable, Path(__file__).with_name("coverage_guided.py"), name, tmp_path, str(int(seconds) + 1)]
    paths = os.pathsep.join([str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    ran = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False, errors="replace"
    )
    output = (ran.stdout + ran.stderr)[-4000:]
    assert ran.returncode == 0, output
    assert "Done " in ran.stderr, output


def test_a_sound_text_is_read(tmp_path):
    """What the readers are attacked with begins with files that they read; a model has weights beside its record."""
    for name, reader in readers().items():
        file = tmp_path / reader.file
        file.write_text(reader.sound, encoding="utf-8")
        assert (reader.problem(file) is None) == (name != "model"), name
