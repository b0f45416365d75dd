"""The documentation does what it says."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from checkout import ROOT
from video_clips import constant_rate, write_clip
from waver.align.timeline import align_pack
from waver.config.sections import AlignConfig
from waver.datasets.questions import questions_of
from waver.io.tables import FEATURE_INDEX, PACK_INDEX, SET_ASIDE, VIDEOS, read_table, write_table

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)(?: (\w+)=(\S+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[tuple[str, str, str]]:
    """(attribute, value, text) of each fenced block in a language."""
    return [(kind, value, text) for found, kind, value, text in BLOCK.findall(page.read_text()) if found == language]


@pytest.mark.timeout(2700)
def test_the_page_adds_a_fusion_from_its_file_to_its_row_in_the_report(finished, tmp_path):
    """All of the page, with the tiny data set in the place of the demo's."""
    page = ROOT / "docs/adding_a_method.md"
    work = _follow(page, finished, tmp_path, "FUSIONS: dict[str, FusionRecord] = {\n", "")
    commands = [line for _, _, text in blocks(page, "bash") for line in text.splitlines()]
    said = [_run(command, work.folder) for command in commands]
    assert [" passed" in said[0], "failed" in said[0]] == [True, False]
    ran = {"train_fusion", "train_cost", "evaluate_controls", "evaluate_scores", "report_tables", "report_html"}
    assert work.rules(said[1]) == ran
    scores = json.loads((work.folder / "results/mine/evaluate/scores.json").read_text())
    assert {row["level"] for row in scores if row["method"] == "average"} == {"frame", "participant", "video"}
    assert "Average V+A+T" in (work.folder / "results/mine/report/report.html").read_text()

    assert work.would_run() == set()  # of the run that was there
    method = work.folder / "src/waver/models/fusion/average.py"
    method.write_text(method.read_text().replace("softmax(0)", "softmax(-1)"))
    assert work.rules(_run(commands[1], work.folder)) == ran - {"evaluate_controls"}


@pytest.mark.timeout(2700)
def test_the_page_adds_a_modality_from_its_function_to_its_row_in_the_report(finished, tmp_path):
    page = ROOT / "docs/adding_a_modality.md"
    work = _follow(page, finished, tmp_path, "", '    "Q": Modality(\n')
    contract, dry_run, run = (line for _, _, text in blocks(page, "bash") for line in text.splitlines())
    assert " passed" in _run(contract, work.folder)
    made = {"features_derived", "align_pack", "train_fusion", "train_cost"}
    made |= {"evaluate_controls", "evaluate_scores", "report_tables", "report_html"}
    assert work.rules(_run(dry_run, work.folder)) == made
    trace = tmp_path / "trace"
    trace.mkdir()
    _run(run, work.folder, {"PYTHONPATH": str(ROOT / "tests/tracing"), "WAVER_TRACE": str(trace)})
    scores = json.loads((work.folder / "results/mine/evaluate/scores.json").read_text())
    assert {row["level"] for row in scores if row["modalities"] == "VATM"} == {"frame", "participant", "video"}
    report = work.folder / "results/mine/report"
    assert "LFAN V+A+T+M" in (report / "report.html").read_text()
    assert "| movement: no network, movement of the face |" in (report / "tables/compute.md").read_text()
    _packs_differ_by_the_stream_alone(finished.folder, work.folder)
    _everything_executed_is_in_the_fingerprints(work.folder, trace)

    function = work.folder / "src/waver/features/movement.py"
    function.write_text(function.read_text().replace("eyes > 0", "eyes > 1"))
    again = work.would_run()  # of the run that was there: the function, and what reads packs
    assert {"features_derived", "align_pack", "train_fusion", "train_videos", "adapt_source"} <= again
    assert not {"features_faces", "features_visual", "train_answers"} & again


def _packs_differ_by_the_stream_alone(before: Path, after: Path) -> None:
    packs = "resources/tiny/align/packs"
    for pack in sorted((after / packs).iterdir()):
        there, was = (zipfile.ZipFile(top / packs / pack.name) for top in (after, before))
        more = {name.split("/")[0] for name in set(there.namelist()) - set(was.namelist())}
        assert more == {"movement", "movement_valid"}
        for name in set(was.namelist()) - {"zarr.json"}:
            assert there.read(name) == was.read(name)


def _everything_executed_is_in_the_fingerprints(folder: Path, trace: Path) -> None:
    """As ``test_fingerprints`` holds it for the rules of the tiny data set, here with the page's own code."""
    code = """
import sys
from pathlib import Path
from tracing import executed
from waver.workflow.fingerprint import closure, followed
for rule, named in (("features_derived", ["waver.features.movement:movement"]), ("align_pack", [])):
    found, ran = closure(named, Path(f"workflow/scripts/{rule}.py")), executed.definitions(Path(sys.argv[1]) / rule)
    assert len(ran) > 10
    assert not {reference for reference in ran if followed(reference)} - set(found)
assert ("waver.features.movement", "movement") in executed.definitions(Path(sys.argv[1]) / "features_derived")
"""
    path = os.pathsep.join(str(folder / part) for part in ("src", "tests"))
    command = [sys.executable, "-c", code, str(trace)]
    subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": path}, check=True)


def _follow(page: Path, finished: Any, folder: Path, after: str, before: str) -> Any:
    """A copy of a finished run with the files of a page, and its record where the page says.

    The tiny data set takes the place of the demo's, and nothing is cross-validated.
    """
    work = finished.copy(folder / "waver")
    shutil.copytree(ROOT / "tests", work.folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "pyproject.toml", work.folder)
    (work.folder / ".venv").symlink_to(Path(sys.prefix))
    tiny = json.loads((work.folder / "tiny.json").read_text())
    (work.folder / "config/presets/demo.yaml").write_text(json.dumps({**tiny, "train": {**tiny["train"], "folds": 0}}))
    for kind, path, text in [*blocks(page, "python"), *blocks(page, "yaml")]:
        file, place = work.folder / path, after + before
        assert kind == "file" or file.read_text().count(place) == 1
        file.write_text(text if kind == "file" else file.read_text().replace(place, after + text + before))
    return work


def _run(command: str, folder: Path, variables: dict[str, str] | None = None) -> str:
    """What a command of a page says, run as a reader runs it, but for some variables of the environment."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | (variables or {})
    result = subprocess.run(
        shlex.split(command), cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def test_following_the_page_reads_recordings_and_adds_a_reader(tmp_path):
    for part in ("Snakefile", "rules", "workflow", "src", "config", "envs", "profiles"):
        source, ignore = ROOT / part, shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, tmp_path / part, ignore=ignore) if source.is_dir() else shutil.copy2(source, tmp_path)
    page = ROOT / "docs/adding_a_dataset.md"
    for language in ("csv", "yaml", "python"):
        for kind, path, text in blocks(page, language):
            file = tmp_path / path
            file.parent.mkdir(exist_ok=True)
            first = "READERS: dict[str, str] = {\n"
            file.write_text(text if kind == "file" else file.read_text().replace(first, first + text))
    for frames, name in enumerate(("anna/morning.mp4", "anna/evening.mp4", "zoe.mp4"), start=24):
        _write(tmp_path / "recordings" / name, frames)
    ((_, _, commands),) = blocks(page, "bash")
    first, second = (line.replace(".venv/bin", str(Path(sys.executable).parent)) for line in commands.splitlines())
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    for command in (first, f"{second} --dry-run"):
        result = subprocess.run(
            shlex.split(command), cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stdout + result.stderr
    assert {"train_fusion", "report_html"} <= set(re.findall(r"^(\w+) +\d+$", result.stdout, re.MULTILINE))
    tables = tmp_path / "resources/recordings/ingest"
    videos = read_table(tables / "videos.parquet", VIDEOS)
    found = [(row["video"], row["participant"], row["annotated_frames"]) for row in videos]
    assert found == [("zoe", "Zoë B.", None), ("anna__morning", "anna", 24), ("anna__evening", "anna", 25)]
    assert read_table(tables / "set_aside.parquet", SET_ASIDE) == []
    questions = questions_of(tables / "answers.parquet")
    assert (questions.count, questions.question(1).affect) == (2, ("positive", "negative"))
    aligned = _align(tmp_path, tables)
    assert questions_of(aligned) == questions
    assert {row["status"] for row in read_table(aligned, PACK_INDEX)} == {"set_aside"}  # nothing was extracted
    _read_with_the_pages_own_reader(tmp_path)


def _write(path: Path, frames: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_clip(path, constant_rate(24, frames))


def _align(folder: Path, tables: Path) -> Path:
    """The index of a pack of all recordings, of which no feature is there."""
    index = folder / "packed/all.parquet"
    align_pack(tables / "videos.parquet", tables / "segments.parquet", {"visual": _no_features(folder)},
               {"visual": folder / "stores"}, folder / "packed/all.zarr", index, AlignConfig(), "code")  # fmt: skip
    return index


def _no_features(folder: Path) -> Path:
    write_table(folder / "visual.parquet", [], FEATURE_INDEX)
    return folder / "visual.parquet"


def _read_with_the_pages_own_reader(folder: Path) -> None:
    _write(folder / "interviews/train-carla-1.mp4", 24)
    _write(folder / "interviews/val-dan-2.mp4", 25)
    code = """
from pathlib import Path
from typing import Any
from waver.datasets.ingest import ingest
names = ("participants", "videos", "answers", "segments", "transcripts", "set_aside")
tables = {name: Path("out") / f"{name}.parquet" for name in names}
ingest(Path("interviews"), "auto", 2, tables, Path("out/shards"), Path("out/cache.json"), reader="interviews")
"""
    environment = os.environ | {"PYTHONPATH": "src"}
    subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, check=True)
    rows = read_table(folder / "out/videos.parquet", VIDEOS)
    assert [(row["video"], row["split"], row["question"]) for row in rows] == [
        ("carla-1", "train", 1),
        ("dan-2", "val", 2),
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_a_page_names_is_there(page):
    ours = re.compile(
        r"(src|rules|config|docs|tests|workflow|envs|profiles|bench)/(?!.*(average|movement|mine\.yaml|[<*{|]))"
    )
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
