"""An edit of code, and exactly the trainings that run again: of frame models and of the visual backbone.

Nothing is trained here: the files of a finished run lie empty, and Snakemake marks them as made (``--touch``).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import touched
from checkout import ROOT
from waver.cluster.planning import plan

pytestmark = pytest.mark.usefixtures("preloaded_snakemake")

PARTS = ("src", "rules", "workflow", "config", "envs", "profiles", "Snakefile")
CONFIG = {
    "run": "x",
    "dataset": {"name": "x", "shards": 1, "root": "release"},
    "features": {"visual": {"backbone": "resnet18"}, "speech": {"source": "given"}},
    "backbone": {"stages": ["ah"], "emotions": {"sets": [{"path": "pictures"}]}},
    "train": {"folds": 0, "windows": [24]},
    "adapt": {"modalities": "AC"},
}
TARGETS = (
    "--", "results/x/train/lfan/VAT/0/model.pt", "results/x/train/lfan.w24/VAT/0/model.pt",
    "resources/emotions/train/resnet18/asset.json",
    "results/x/adapt/source_only/block/0/000.parquet", "results/x/adapt/source_only/frame_random/0/000.parquet",
)  # fmt: skip
AFTER = {"features_visual", "align_pack", "train_fusion", "adapt_source", "adapt_target"}
PLANNED_LATER = {"train_fusion", "adapt_source", "adapt_target"}
"""Told by a dry run wherever ingest runs, for their inputs are planned after it."""
EDITS = {
    "a step of the loop": ("training/trainer.py", "def _step(", {"train_emotions", "train_backbone"} | AFTER),
    "what is one step of frame models": ("training/frames/training.py", "class FrameTraining(", {"train_fusion"}),
    "temporal model of this fusion": ("models/temporal/tcn.py", "class Tcn(TemporalModel):", {"train_fusion"}),
    "temporal model of no fusion in use": ("models/temporal/bigru.py", "class BiGru(TemporalModel):", set()),
    "options of another fusion": ("models/fusion/conflict/settings.py", "class ConflictConfig(Section):", set()),
    "scalars for TensorBoard": ("training/tensorboard.py", "def scalar_log(", set()),
    "pictures of emotions": ("datasets/emotions/readers.py", "def read_emotions(", {"train_emotions"}),
    "faces of frames": ("training/backbones/face_frames.py", "class FaceTables:", {"train_backbone"} | AFTER),
    "a speech encoder, of which none is used": ("features/audio/speech_encoder.py", "class SpeechEncoder:", set()),
    "another table's schema": ("io/tables.py", "ANSWERS = pa.schema(", {"ingest_tables"} | PLANNED_LATER),
    "where text encoders compute": (
        "device.py",
        "def encoder_settings(",
        {"features_words"} | AFTER - {"features_visual"},
    ),
    "what nobody calls": ("training/trainer.py", None, set()),
}
"""Name -> file, the line of the definition that is edited (None: a new one is added), the rules that run again."""
MOVES = {
    "renamed": (("training/trainer.py", "training/epochs.py"),),
    "moved": (("io/tables.py", "deeper/down/schemas.py"), ("features/clock.py", "align/clock.py")),
    "merged": (("training/ema.py", "training/losses.py"),),
}
"""Name -> files and where their definitions go; added at the end where there is such a file."""


@dataclass(frozen=True)
class Run:
    """A checkout of its own, and a working folder where both stages and one fusion are trained."""

    root: Path
    folder: Path

    def jobs(self, changes: dict[str, Any] | None = None) -> dict[str, int]:
        return dict(plan(self.folder, [*touched.overlay(self.folder, CONFIG, changes or {}), *TARGETS], self.root).jobs)

    def would_run(self) -> set[str]:
        return set(self.jobs())


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("code")
    root = folder / "waver"
    for part in PARTS:
        source, quiet = ROOT / part, shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, root / part, ignore=quiet) if source.is_dir() else shutil.copy2(source, root / part)
    for name in ("release", "pictures/train/fear"):
        (folder / name).mkdir(parents=True)
    touched.touch_outputs(folder, CONFIG, TARGETS, root)
    return Run(root, folder)


def test_another_guard_adapts_again_where_it_is_kept_and_trains_nothing(run):
    path = run.root / "src/waver/features/receptive_fields.py"
    original = path.read_text()
    try:
        for field, jobs in (("50 / FPS", {"adapt_target": 1}), ("pictures / FPS", {})):  # of the cues, of the face
            path.write_text(original.replace(field, f"2 * {field}"))
            assert run.jobs() == jobs
    finally:
        path.write_text(original)


def test_the_number_of_a_release_runs_nothing_again(run, tmp_path):
    """Of nothing to the page, though the page tells it."""
    config = CONFIG | {"train": {"folds": 0, "seeds": [0], "runs": [{"fusion": "lfan", "modalities": "VAT"}]}}
    report = ["--", "results/x/report/report.html"]
    for name in ("release", "pictures/train/fear", "results/x/report/figures"):
        (tmp_path / name).mkdir(parents=True)
    touched.touch_outputs(tmp_path, config, report, run.root)
    arguments = [*touched.overlay(tmp_path, config, {}), *report]
    path = run.root / "src/waver/__init__.py"
    original = path.read_text()
    try:
        path.write_text(original.replace('__version__ = "', '__version__ = "9.'))
        assert plan(tmp_path, arguments, run.root).jobs == {}
    finally:
        path.write_text(original)


def test_nothing_edited_trains_nothing(run):
    assert run.would_run() == set()


def test_a_variant_whose_recipe_stays_is_not_trained_again(run):
    """Its window leaves it the hop of 24 frames anyway; that it differs from the base by less is told by the scores."""
    assert run.jobs({"train": {"hop": 24}}) == {"train_fusion": 1}


@pytest.fixture
def source(run) -> Iterator[Path]:
    """The folder of the package; as before at the end."""
    folder, kept = run.root / "src/waver", run.folder / "kept"
    shutil.copytree(folder, kept)
    yield folder
    shutil.rmtree(folder)
    kept.rename(folder)


@pytest.mark.parametrize(("file", "line", "rules"), EDITS.values(), ids=EDITS)
def test_an_edit_of_a_definition_runs_again_exactly_what_executes_it(run, source, file, line, rules):
    path = source / file
    original = path.read_text()
    if line is None:
        path.write_text(original + "\n\ndef added():\n    return 1\n")
    else:
        path.write_text(touched.edited(original, line))
    assert run.would_run() == rules


@pytest.mark.parametrize("moves", MOVES.values(), ids=MOVES)
def test_a_module_that_is_moved_merged_or_renamed_runs_nothing_again(run, source, moves):
    for old, new in moves:
        _move(source, old, new)
    result = subprocess.run(
        [sys.executable, "-c", "import waver.training.frames.fit, waver.features.faces.extract, waver.align.timeline"],
        env={"PYTHONPATH": str(source.parent), "PATH": ""}, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert run.would_run() == set()


def _move(source: Path, old: str, new: str) -> None:
    """Move a module's definitions, with the imports of those who use it."""
    target = source / new
    target.parent.mkdir(parents=True, exist_ok=True)
    text = (source / old).read_text().replace("from __future__ import annotations\n", "")
    before = target.read_text() if target.exists() else "from __future__ import annotations\n"
    target.write_text(before + text)
    (source / old).unlink()
    was, now = (f"waver.{name.removesuffix('.py').replace('/', '.')}" for name in (old, new))
    for path in [*source.rglob("*.py"), *source.parents[1].glob("workflow/scripts/*.py")]:
        text = path.read_text()
        # what stands in both now imports from itself
        changed = re.sub(rf"^from {now} import .*\n", "", text, flags=re.M) if path == target else text
        path.write_text(re.sub(rf"\b{re.escape(was)}\b", now, changed))
