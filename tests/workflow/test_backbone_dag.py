"""The visual backbone's stages in the workflow: what waits for what, and what a change runs again.

Nothing is trained here: the files of a finished run lie empty, and Snakemake marks them as made (``--touch``).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

import touched
from waver.cluster.planning import plan, snakemake
from waver.config.model import load_config
from waver.config.section import overlaid
from waver.errors import WaverError
from waver.workflow.fingerprint import closure
from waver.workflow.flow import Flow
from waver.workflow.run import Run

pytestmark = pytest.mark.usefixtures("preloaded_snakemake")

ROOT = Path(__file__).resolve().parents[2]
OVERLAY = "backbones/resnet101"
PACKS = ("--", "resources/x/align/000.parquet", "resources/x/align/001.parquet")
JUDGED = "results/x/train/backbones/resnet18/predictions.parquet"
CONFIG = {
    "run": "x",
    "dataset": {"name": "x", "shards": 2, "root": "release"},
    "features": {"visual": {"backbone": "resnet18"}, "speech": {"source": "given"}},
    "backbone": {"stages": ["emotions", "ah"], "emotions": {"sets": [{"path": "pictures"}]}},
    "train": {"folds": 0},
}
AFTER = {"features_visual", "align_pack"}
EDITS = {
    "nothing": ({}, set()),
    "stage 1": ({"backbone": {"emotions": {"lr": 0.5}}}, {"train_emotions", "train_backbone"} | AFTER),
    "stage 2": ({"backbone": {"ah": {"every": 2}}}, {"train_backbone"} | AFTER),
    "stage 3": ({"features": {"visual": {"batch": 7}}}, AFTER),
    "without stage 2": ({"backbone": {"stages": ["emotions"]}}, AFTER),
}


def overlay(folder: Path, changes: dict) -> list[str]:
    """Arguments that run the config with changes."""
    return touched.overlay(folder, CONFIG, changes)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A working folder where all up to the packs is made."""
    folder = tmp_path_factory.mktemp("dag")
    for name in ("release", "pictures/train/fear"):
        (folder / name).mkdir(parents=True)
    touched.touch_outputs(folder, CONFIG, PACKS)
    return folder


@pytest.mark.parametrize(("changes", "rules"), EDITS.values(), ids=EDITS)
def test_a_change_runs_again_what_depends_on_it(finished, changes, rules):
    assert set(plan(finished, [*overlay(finished, changes), *PACKS]).jobs) == rules


def test_a_cross_validation_on_a_backbone_that_saw_its_labels_is_refused(finished):
    with pytest.raises(WaverError, match="of models with V would be flattered"):
        plan(finished, [*overlay(finished, {"train": {"folds": 5}}), *PACKS])
    emotions = {"train": {"folds": 5}, "backbone": {"stages": ["emotions"]}}
    assert plan(finished, [*overlay(finished, emotions), *PACKS]).jobs


def test_pictures_added_to_a_folder_are_learnt_from(finished):
    folder = finished / "pictures/train/fear"
    before = folder.stat().st_mtime_ns
    (folder / "new.jpg").touch()
    assert "train_emotions" in plan(finished, [*overlay(finished, {}), *PACKS]).jobs
    (folder / "new.jpg").unlink()
    os.utime(folder, ns=(before, before))


def test_stages_wait_for_each_other_and_features_for_the_last(finished):
    text = snakemake(ROOT, finished, [*overlay(finished, {}), "--rulegraph", *PACKS, JUDGED]).text
    names = dict(re.findall(r'(\d+)\[label ?= ?"(\w+)"', text))
    edges = {(names[a], names[b]) for a, b in re.findall(r"(\d+) -> (\d+)", text)}
    assert edges >= {
        ("train_emotions", "train_backbone"),
        ("features_faces", "train_backbone"),
        ("ingest_tables", "train_backbone"),
        ("train_backbone", "features_visual"),
        ("features_faces", "features_visual"),
        ("align_pack", "train_backbone_frames"),
        ("train_backbone", "train_backbone_frames"),
    }
    assert not {("train_emotions", "features_visual"), ("models_install", "features_visual")} & edges
    # faces wait for no training, or there would be a circle
    assert {a for a, b in edges if b == "features_faces"} == {"ingest_tables", "models_install"}


def test_a_backbone_that_learnt_frames_is_scored_as_every_model_is():
    def scored(stages: list[str]) -> tuple[bool, bool]:
        values = overlaid(CONFIG, {"backbone": {"stages": stages}})
        flow = Flow(Run(load_config(values)))
        return JUDGED in flow.predictions(), "resnet18" in flow.methods()

    assert scored(["emotions", "ah"]) == scored(["ah"]) == (True, True)
    assert scored(["emotions"]) == (False, False)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"features": {"visual": {"backbone": "resnet99"}}}, "'resnet99' is not a known backbone"),
        ({"backbone": {"stages": []}}, "there are no weights for resnet18; give models.paths.expression_backbone"),
        ({"features": {"visual": {"backbone": "mini_xception"}}}, "mini_xception is used as it is"),
    ],
    ids=["unknown", "no weights", "mini_xception"],
)
def test_what_cannot_be_is_told_before_anything_runs(tmp_path, changes, sentence):
    (tmp_path / "release").mkdir()
    with pytest.raises(WaverError, match=re.escape(sentence)):
        snakemake(ROOT, tmp_path, [*overlay(tmp_path, changes), "--dry-run", *PACKS])


@pytest.mark.parametrize(
    ("backbone", "sentence"),
    [
        ({"stages": ["ah", "emotions"]}, r"must be \[\], \[emotions\], \[ah\] or \[emotions, ah\]"),
        ({"stages": ["emotions"]}, r"emotions\.sets is empty"),
        ({"emotions": {"sets": [{"layout": "ferplus", "path": "x"}]}}, r"backbone\.emotions\.sets\.0\.layout"),
    ],
)
def test_mistakes_of_the_section_are_told(backbone, sentence):
    with pytest.raises(WaverError, match=sentence):
        load_config({"backbone": backbone})


@pytest.mark.parametrize("preset", ["bah224", "bah300"])
def test_the_papers_backbone_goes_over_the_presets_of_the_releases(preset):
    read = [yaml.safe_load((ROOT / f"config/presets/{name}.yaml").read_text()) for name in (preset, OVERLAY)]
    config = load_config(overlaid(*read))
    assert (config.run, config.features.visual.backbone) == (preset, "resnet101")
    assert config.backbone.stages == ("emotions", "ah")
    for stage in (config.backbone.emotions, config.backbone.ah):
        assert (stage.epochs, stage.batch, stage.at_once, stage.optimiser) == (60, 1424, 356, "sgd")
        assert (stage.new_layers, stage.weight_decay) == (10, 1e-4)
        assert 9e-4 <= stage.lr <= 1e-3
    assert load_config(read[0]).backbone.stages == ()


def test_a_training_depends_on_no_other_room_than_its_own():
    """An edit of a fusion or the packs must not train a backbone again; one of the loop of all trainings does."""
    modules = _modules("train_backbone")
    assert not [name for name in modules if name.startswith(("waver.align", "waver.models.fusion"))]
    own = {"checkpoint", "trainer", "ema", "lr_schedule", "optim"}
    own |= {"frames", "stage", "face_frames", "tasks", "training", "image_cache"}
    assert {name.split(".")[-1] for name in modules if name.startswith("waver.training")} == own
    emotions = _modules("train_emotions")
    assert {name.split(".")[-1] for name in emotions - modules} >= {"emotions", "readers"}
    assert {name.split(".")[-1] for name in modules - emotions} >= {"frames", "face_frames"}
    assert "waver.models.backbones.resnet" not in modules | _modules("features_visual")


def _modules(rule: str) -> set[str]:
    return {reference.module for reference in closure([], ROOT / f"workflow/scripts/{rule}.py")}


def test_models_that_are_in_no_package_are_fetched_by_one_rule(finished, tmp_path):
    models = {
        "roles": {"expression_backbone": "paper", "face_detector": "insightface", "vggish": "paper"},
        "accept_licences": ["insightface-non-commercial"],
    }
    changes = {"models": models, "features": {"audio": {"feature": "vggish"}}, "dataset": {"root": str(finished)}}
    found = plan(tmp_path, [*overlay(tmp_path, changes), "--", "models"]).jobs
    assert found["models_fetch"] == 3
    assert set(found) == {"models_fetch", "models_install"}
