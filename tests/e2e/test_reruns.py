"""The promise of re-runs, as a table: edit X, and exactly the rules Y run."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

import touched

pytestmark = pytest.mark.timeout(2700)

SCORES = {"evaluate_scores", "report_tables", "report_html"}
FRAMES = {"train_fusion", "train_folds", "train_cost"}
VIDEOS = {"train_videos", "train_cost"}
FOLDED = {"train_folds", "train_answers", "evaluate_controls"} | VIDEOS
AFTER_ALIGN = FRAMES | VIDEOS | {"adapt_source", "adapt_target", "adapt_fusion", "evaluate_controls"} | SCORES
CONFIG_EDITS = {
    "nothing": ({}, set()),
    "report": ({"report__title": "Other"}, {"report_html"}),
    "evaluate": ({"evaluate__seed": 5}, SCORES),
    "adapt, one method": ({"adapt__options": {"shot": {"epochs": 1}}}, {"adapt_target"} | SCORES),
    "adapt, source": ({"adapt__source_epochs": 1}, {"adapt_source", "adapt_target"} | SCORES),
    "train": ({"train__lr": 0.01}, FRAMES | {"adapt_fusion"} | SCORES),
    "train, one fusion": ({"train__options": {"can": {"dropout": 0.3}}}, FRAMES | SCORES),
    "train, one variant": ({"train__variants": {"w24": {"window": 72}}}, FRAMES | SCORES),
    "train, a window": ({"train__windows": [48]}, FRAMES | SCORES),
    "train, a seed more": ({"train__seeds": [0, 1]}, FRAMES | SCORES),
    "train, folds": ({"train__folds": 3}, FOLDED | SCORES),
    "train, folding": ({"train__folding": "numbers"}, FOLDED | SCORES),
    "answers, one model": ({"answers__options": {"tfidf": {"strength": 0.5}}}, {"train_answers"} | SCORES),
    "videos, one model": ({"videos__options": {"focalnet_tiny": {"frames": 3}}}, VIDEOS | SCORES),
    "videos, one recipe": ({"videos__recipes": {"discrepancy": {"lr": 0.1}}}, VIDEOS | SCORES),
    "videos, a rule": ({"evaluate__video_rule": "majority"}, SCORES),
    "align": ({"align__tolerance_frames": 3}, {"align_pack"} | AFTER_ALIGN),
    "words": (
        {"features__words__precision": "bf16"},
        {"features_words", "align_pack", "features_answers", "train_answers"} | AFTER_ALIGN,
    ),
    "speech": (
        {"features__speech__beam": 2},
        {"features_speech", "features_words", "features_cues", "align_pack"} | AFTER_ALIGN,
    ),
    "faces": ({"features__faces__nms": 0.5}, {"features_faces", "features_visual", "align_pack"} | AFTER_ALIGN),
    "ingest": ({"dataset__layout": "bah300"}, {"ingest_tables"}),
}
CODE_EDITS = {
    "a comment": ("src/waver/features/faces/extract.py", "\n# a remark\n", set()),
    "a method": ("src/waver/adaptation/methods/sfda/shot.py", "class Shot:", {"adapt_target"} | SCORES),
    "a fusion": ("src/waver/models/fusion/can.py", "class Can(", FRAMES | SCORES),
    "a model of answers": ("src/waver/models/text/tfidf.py", "class Tfidf(", {"train_answers"} | SCORES),
    "a video model": ("src/waver/models/video/focalnet.py", "class VideoFocalNet(", VIDEOS | SCORES),
    "a deep import": (
        "src/waver/features/audio/logmel.py",
        "def log_mel(",
        {"features_audio", "features_cues", "align_pack"} | AFTER_ALIGN,
    ),
    "lists of cues": (
        "src/waver/models/text/cues.yaml",
        "\n# a remark\n",
        {"features_cues", "align_pack", "train_answers"} | AFTER_ALIGN,
    ),
    "scalars for TensorBoard": ("src/waver/training/tensorboard.py", "def scalar_log(", set()),
    "metrics of the report": ("src/waver/report/build.py", "def render_report(", {"report_html"}),
}


@pytest.fixture(scope="module")
def told(finished) -> Callable[[dict[str, object]], str]:
    """``told(changes)``: what a dry run of the finished workspace says under changes of the config, asked once."""

    @cache
    def ask(changes: str) -> str:
        result = finished.snakemake("--dry-run", "--configfile", *finished.config(**json.loads(changes)))
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout + result.stderr

    return lambda changes: ask(json.dumps(changes))


@pytest.mark.parametrize(("changes", "rules"), CONFIG_EDITS.values(), ids=CONFIG_EDITS)
def test_config_edit(finished, told, changes, rules):
    # after a checkpoint that will run, only the checkpoint is planned for certain
    planned = finished.rules(told(changes))
    if "ingest_tables" in rules:
        assert "ingest_tables" in planned
    else:
        assert planned == rules


@pytest.mark.parametrize(("file", "text", "rules"), CODE_EDITS.values(), ids=CODE_EDITS)
def test_code_edit(finished, file, text, rules):
    path = finished.folder / file
    original = path.read_text()
    try:
        path.write_text(original + text if text.startswith("\n#") else touched.edited(original, text))
        assert finished.would_run() == rules
    finally:
        path.write_text(original)


def test_one_fusion_edited_trains_that_fusion_alone(told):
    text = told({"train__options": {"can": {"dropout": 0.3}}})
    assert "Training can on V" in text
    assert "Cross-validating can on V" in text
    assert "ing lfan on" not in text


@pytest.mark.parametrize(
    ("changes", "trained"),
    [
        ({"train__variants": {"w24": {"window": 72}}}, {"can.w24 on V"}),
        ({"train__windows": [48]}, {"lfan.w48 on VAT"}),
        ({"train__options": {"can": {"dropout": 0.3}}}, {"can on V", "can.w24 on V"}),
    ],
)
def test_a_variant_edited_trains_that_variant_alone(told, changes, trained):
    text = told(changes)
    assert set(re.findall(r"Training ([\w.]+ on \w+), seed", text)) == trained
    assert set(re.findall(r"Cross-validating ([\w.]+ on \w+), seed", text)) == trained


def test_one_video_model_edited_trains_that_model_alone(told):
    text = told({"videos__options": {"focalnet_tiny": {"frames": 3}}})
    assert "Training focalnet_tiny on whole videos" in text
    assert "Training discrepancy on whole videos" not in text


def test_a_second_run_does_nothing(finished):
    assert finished.run() == {}


def test_an_edit_of_ingest_alone_that_changes_no_table_runs_nothing_more(finished):
    """The layout that is named is the one that was recognised."""
    arguments = ("--configfile", *finished.config(dataset__layout="bah300"))
    assert set(finished.run(*arguments)) - {"all"} == {"ingest_tables"}
    assert "Partial copy." in (finished.results / "report/report.html").read_text()
    assert set(finished.run()) - {"all"} == {"ingest_tables"}


def test_a_video_removed_and_added_again_costs_its_shard_alone(finished, tmp_path):
    run = finished.copy(tmp_path / "waver")
    packs = ("--", "resources/tiny/align/000.parquet", "resources/tiny/align/001.parquet")
    video = sorted((run.folder / "data/Videos").rglob("*.mp4"))[0]
    excluded = run.folder / "aside.mp4"
    shutil.move(video, excluded)
    removed = run.run(*packs)
    assert removed["ingest_tables"] == 1
    assert removed["features_faces"] == removed["features_speech"] == removed["align_pack"] == 1
    assert "ingest_tables" not in run.would_run()
    shutil.move(excluded, video)
    added = run.run(*packs)
    assert added["features_faces"] == added["features_speech"] == added["align_pack"] == 1
    log = next((run.folder / "logs/tiny/features_faces").glob("*.log"))
    assert "up to date" in "".join(path.read_text() for path in log.parent.glob("*.log"))


def test_what_was_deleted_is_made_again_where_it_is_needed(finished, tmp_path):
    run = finished.copy(tmp_path / "waver")
    resources = run.folder / "resources/tiny"
    for stores in ("features/faces/stores", "features/answers/stores", "align/packs"):
        shutil.rmtree(resources / stores)
    (run.folder / "resources/models/retinaface_mobilenet/model.onnx").unlink()
    assert run.run() == {}
    # the report goes without, and makes nothing again
    timeline = run.results / "report/figures/timeline.svg"
    assert timeline.exists()
    page = "results/tiny/report/report.html"
    report = {"report_tables": 1, "report_html": 1}
    assert run.run("--forcerun", "report_tables", "report_html", "--", page) == report
    assert not timeline.exists()
    assert "the report has no timeline" in (run.folder / "logs/tiny/report_html/all.log").read_text()
    # faces of the one shard, whose index and whose detector's record were still there
    overlay = ("--configfile", *run.config(features__visual__batch=3))
    assert run.run(*overlay, "--", "resources/tiny/features/visual/000.parquet") == {
        "models_install": 1,
        "features_faces": 1,
        "features_visual": 1,
    }
    controls = "results/tiny/evaluate/controls/all_positive.frame.standard.parquet"
    made = run.run("--forcerun", "evaluate_controls", "--", controls)
    assert made == {"features_faces": 1, "features_visual": 2, "align_pack": 2, "evaluate_controls": 1}
    answers = "results/tiny/train/tfidf/TQ/0/predictions.parquet"
    assert run.run("--forcerun", "train_answers", "--", answers) == {"features_answers": 2, "train_answers": 1}


def test_a_killed_run_leaves_nothing_half_made_and_resumes(finished, tmp_path):
    run = finished.copy(tmp_path / "waver")
    trained = run.folder / "results/tiny/train/can/V/0/predictions.parquet"
    want = trained.read_bytes()
    for made in ("resources/tiny/features/visual", "resources/tiny/align", "results/tiny"):
        shutil.rmtree(run.folder / made)
    stores = run.folder / "resources/tiny/features/visual/stores"
    process = _start(run.folder)
    _wait(lambda: len(list(stores.glob("*/*.zarr"))) >= 1)
    os.killpg(process.pid, signal.SIGKILL)  # the head and its jobs, as when a machine goes down
    process.wait()
    whole = {path: path.stat().st_mtime_ns for path in stores.glob("*/*.zarr")}
    assert not list(stores.parent.glob("*.parquet"))
    run.snakemake("--unlock")
    visual = [f"resources/tiny/features/visual/{shard}.parquet" for shard in ("000", "001")]
    again = run.run("--", *visual, str(trained.relative_to(run.folder)))
    assert again["features_visual"] == 2
    assert again["features_faces"] == again["features_speech"] == 0
    assert not list(stores.glob("*/.*"))
    assert all(path.stat().st_mtime_ns == made for path, made in whole.items())
    assert trained.read_bytes() == want


def _start(folder: Path) -> subprocess.Popen[bytes]:
    command = [str(Path(sys.executable).parent / "snakemake"), "--cores", "2", "--configfile", "tiny.json"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=folder, stdout=quiet, stderr=quiet, start_new_session=True)


def _wait(condition, seconds: float = 900) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
