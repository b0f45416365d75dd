"""An edit of code, and exactly the trainings that run again: of frame models and of the visual backbone.

Nothing is trained here: the files of a finished run lie empty, and Snakemake marks them as made (``--touch``).
"""

from __future__ import annotations

import shutil
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
EDITS = {
    "scalars for TensorBoard": ("training/board.py", set()),
    "readers of emotion pictures": ("data/emotions.py", {"train_emotions"}),
    "faces of frames": ("training/face_frames.py", {"train_backbone"} | AFTER),
    "temporal context of this model": ("models/temporal/tcn.py", {"train_fusion"}),
    "temporal context of no model": ("models/temporal/bigru.py", set()),
    "options of another model": ("models/conflict/settings.py", set()),
    "reader of speech encoders, of which none is used": ("features/speech_encoder.py", set()),
    "loop of frame models": ("training/loop.py", {"train_fusion"}),
}


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


def test_nothing_edited_trains_nothing(run):
    assert run.would_run() == set()


def test_a_variant_whose_recipe_stays_is_not_trained_again(run):
    """Its window leaves it the hop of 24 frames anyway; that it differs from the base by less is told by the scores."""
    assert run.jobs({"train": {"hop": 24}}) == {"train_fusion": 1}


@pytest.mark.parametrize(("file", "rules"), EDITS.values(), ids=EDITS)
def test_an_edit_trains_exactly_what_depends_on_it(run, file, rules):
    path = run.root / "src/waver" / file
    original = path.read_text()
    try:
        path.write_text(original + "\nEDITED = 1\n")
        assert run.would_run() == rules
    finally:
        path.write_text(original)
