"""The documentation does what it says."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from checkout import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)(?: (\w+)=(\S+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[tuple[str, str, str]]:
    """(attribute, value, text) of each fenced block in a language."""
    return [(kind, value, text) for found, kind, value, text in BLOCK.findall(page.read_text()) if found == language]


def test_following_the_page_adds_a_fusion_that_trains(tmp_path):
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    page = ROOT / "docs/adding_a_method.md"
    for kind, path, text in blocks(page, "python"):
        file = tmp_path / path
        if kind == "file":
            file.write_text(text)
        else:
            file.write_text(
                file.read_text().replace("FUSIONS: dict[str, str] = {\n", "FUSIONS: dict[str, str] = {\n" + text)
            )
    code = """
import sys
sys.path.insert(0, "src"), sys.path.append(sys.argv[1])
from pathlib import Path
from synthetic import write_packs
from waver.config.sections import TrainConfig
from waver.store.tables import PREDICTIONS, read_table
from waver.training.fit import train_fusion
indexes, packs = write_packs(Path("packs"))
config = TrainConfig(epochs=2, window=96, optimiser="adamw", options={"average": {"hidden": 16}})
outputs = {n: Path("run") / f for n, f in (("model", "model.pt"), ("history", "h.jsonl"), ("predictions", "p.parquet"))}
train_fusion(indexes, packs, "average", "VAT", 0, config, outputs, {"model_set": "embedded", "code": "", "config": {}})
print({row["split"] for row in read_table("run/p.parquet", PREDICTIONS)} == {"val", "test"})
"""
    command = [sys.executable, "-c", code, str(ROOT / "tests")]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.stdout.strip().endswith("True"), result.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_a_page_names_is_there(page):
    ours = re.compile(r"(src|rules|config|docs|tests|workflow|envs|profiles|bench)/(?!.*(average|mine\.yaml|[<*{|]))")
    for path in re.findall(r"`([\w./<>*{}-]+/[\w./<>*{}-]*)`", page.read_text()):
        if ours.match(path):
            assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in link:
            assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_a_page_gives_starts_a_program_that_is_there(page):
    for _, _, text in blocks(page, "bash"):
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            while words and re.match(r"^(export|\w+=)", words[0]):
                words = words[1:]
            if not words or words[0] in ("git", "cd"):
                continue
            if words[0] == "make":
                targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
                assert set(words[1:2]) <= set(targets), line
            else:
                assert (ROOT / words[0]).exists() or shutil.which(words[0]), line
            presets = [word.removeprefix("CONFIG=") for word in words if word.endswith(".yaml") and "mine" not in word]
            assert all((ROOT / preset).exists() for preset in presets), line
