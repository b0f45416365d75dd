"""Video-level models in the workflow: what they wait for, and what a change trains again.

Nothing is trained here: the files of a finished run lie empty, and Snakemake marks them as made (``--touch``).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import touched
from waver.cluster.planning import snakemake
from waver.config.model import load_config
from waver.errors import WaverError
from waver.workflow.fingerprint import closure

pytestmark = pytest.mark.usefixtures("preloaded_snakemake")

ROOT = Path(__file__).resolve().parents[2]
SCORES = "results/x/evaluate/scores.parquet"
MODELS = {"discrepancy on whole videos, VATQ": 2, "focalnet_tiny on whole videos, V": 1}
CONFIG = {
    "run": "x",
    "dataset": {"name": "x", "shards": 2, "root": "release"},
    "features": {"speech": {"source": "given"}},
    "train": {"runs": [{"fusion": "lfan", "modalities": "T"}], "seeds": [0], "folds": 2},
    "answers": {"runs": [{"model": "tfidf", "inputs": "T"}]},
    "adapt": {"methods": []},
    "videos": {
        "runs": [
            {"model": "discrepancy", "modalities": "VATQ", "seeds": [0, 1]},
            {"model": "focalnet_tiny", "modalities": "V"},
        ]
    },
}
BOTH = set(MODELS)
FEATURES, PIXELS = MODELS
EDITS = {
    "nothing": ({}, set(), set()),
    "options of one": ({"videos": {"options": {"discrepancy": {"size": 64}}}}, {FEATURES}, {"evaluate_scores"}),
    "options of neither": ({"videos": {"options": {"emoclip": {"frames": 4}}}}, set(), set()),
    "recipe of all": ({"videos": {"clip": 2}}, {PIXELS}, {"evaluate_scores"}),  # the other has its own
    "rule from frames to videos": ({"evaluate": {"video_rule": "majority"}}, set(), {"evaluate_scores"}),
    "folds": ({"train": {"folds": 3}}, BOTH, {"evaluate_scores", "evaluate_controls", "train_folds", "train_answers"}),
}


def overlay(folder: Path, changes: dict) -> list[str]:
    """Arguments that run the config with changes."""
    return touched.overlay(folder, CONFIG, changes)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A working folder where all up to the scores is made."""
    folder = tmp_path_factory.mktemp("videos")
    (folder / "release").mkdir()
    touched.touch_outputs(folder, CONFIG, ("--", SCORES))
    return folder


@pytest.mark.parametrize(("changes", "trained", "others"), EDITS.values(), ids=EDITS)
def test_a_change_trains_exactly_the_models_that_it_concerns(finished, changes, trained, others):
    text = snakemake(ROOT, finished, [*overlay(finished, changes), "--dry-run", "--", SCORES]).text
    found = re.findall(r"Training (\w+ on whole videos, \w+), seed", text)
    assert {name: found.count(name) for name in set(found)} == {name: MODELS[name] for name in trained}
    table = text.split("Job stats:")[-1].split("total")[0] if "Job stats:" in text else ""
    assert set(re.findall(r"^(\w+) +\d+$", table, re.MULTILINE)) - {"train_videos"} == others


def test_models_of_pixels_wait_for_faces_and_models_of_features_for_packs(finished):
    edges = {}
    for model, target in (("pixels", "focalnet_tiny/V"), ("features", "discrepancy/VATQ")):
        file = f"results/x/train/videos/{target}/0/model.pt"
        text = snakemake(ROOT, finished, [*overlay(finished, {}), "--rulegraph", "--", file]).text
        names = dict(re.findall(r'(\d+)\[label ?= ?"(\w+)"', text))
        edges[model] = {names[a] for a, b in re.findall(r"(\d+) -> (\d+)", text) if names[b] == "train_videos"}
    assert edges == {"pixels": {"features_faces", "ingest_tables"}, "features": {"align_pack", "ingest_tables"}}


def test_weights_by_path_are_installed_and_a_model_is_built_on_what_it_needs(finished):
    (finished / "k400.pth").write_bytes(b"weights")
    (finished / "clip").mkdir()
    (finished / "clip/config.json").write_text("{}")
    changes = {
        "models": {"paths": {"focalnet_tiny": str(finished / "k400.pth"), "clip": str(finished / "clip")}},
        "videos": {"runs": [{"model": "focalnet_tiny"}, {"model": "emoclip"}]},
    }
    text = snakemake(ROOT, finished, [*overlay(finished, changes), "--dry-run", "--", SCORES]).text
    assert set(re.findall(r"Installing model (path\.\w+)", text)) == {"path.focalnet_tiny", "path.clip"}
    assert "Training emoclip on whole videos, V, seed 0" in text
    assert "Training focalnet_tiny on whole videos, V, seed 0" in text


@pytest.mark.parametrize(
    ("videos", "sentence"),
    [
        ({"runs": [{"model": "focalnet_tiny", "modalities": "VAT"}]}, "focalnet_tiny takes V or VQ"),
        ({"runs": [{"model": "discrepancy", "modalities": "Q"}]}, "discrepancy needs V, A, T or C"),
        ({"runs": [{"model": "emoclip"}]}, "models.paths.clip"),
        ({"options": {"focalnet_tiny": {"size": "base"}}}, "size of focalnet_tiny is tiny"),
    ],
    ids=["pixels", "question alone", "no towers", "size"],
)
def test_what_cannot_be_is_told_before_anything_runs(finished, videos, sentence):
    with pytest.raises(WaverError, match=re.escape(sentence)):
        snakemake(ROOT, finished, [*overlay(finished, {"videos": videos}), "--dry-run", "--", SCORES])


@pytest.mark.parametrize(
    ("videos", "sentence"),
    [
        ({"recipes": {"discrepancy": {"rate": 3}}}, "videos: recipes.discrepancy.rate is not a known key"),
        ({"recipes": {"discrepancy": {"lr": -3}}}, "videos: recipes.discrepancy.lr: Input should be greater than 0"),
        ({"runs": [{"model": "discrepancy", "modalities": "TV"}]}, "videos.runs.0.modalities"),
    ],
)
def test_mistakes_of_the_section_are_told(videos, sentence):
    with pytest.raises(WaverError, match=re.escape(sentence)):
        load_config({"videos": videos})


def test_a_recipe_overlays_the_section_for_its_model_alone():
    config = load_config({"videos": {"epochs": 7, "recipes": {"discrepancy": {"lr": 0.5}}}}).videos
    assert (config.recipe("discrepancy").lr, config.recipe("discrepancy").epochs) == (0.5, 7)
    assert config.recipe("focalnet_tiny").lr == config.lr != 0.5
    assert config.recipe("focalnet_tiny").options == {"focalnet_tiny": {}}


def test_a_training_does_not_depend_on_other_methods():
    modules = {reference.module for reference in closure([], ROOT / "workflow/scripts/train_videos.py")}
    apart = ("waver.models.fusion", "waver.models.backbones", "waver.models.text", "waver.models.video")
    assert not [name for name in modules if name.startswith(apart)]
