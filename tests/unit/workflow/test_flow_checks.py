"""Mistakes of a config end the run with one sentence before anything runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from checkout import ROOT
from waver.config.section import overlaid
from waver.errors import WaverError
from waver.workflow.flow import checked_flow

RESNET = {"features": {"visual": {"backbone": "resnet18"}}}
TRAINED_BACKBONE: dict[str, Any] = {**RESNET, "train": {"folds": 0}}
SETS: dict[str, Any] = {"emotions": {"sets": [{"path": "pictures"}]}}
CAN: dict[str, Any] = {"train": {"runs": [{"fusion": "can", "modalities": "VA"}]}}
MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "no release": ({"dataset": {"root": ""}}, "dataset.root is empty; give the folder of the release"),
    "no folder": ({"dataset": {"root": "nowhere"}}, "dataset.root: nowhere is no folder; correct the path"),
    "fusion": ({"train": {"runs": [{"fusion": "lfam", "modalities": "T"}]}}, "train.runs: 'lfam' is not a known"),
    "options of no fusion": (
        {"train": {"options": {"lfam": {}}}},
        "train.runs: 'lfam' is not a known method; known are",
    ),
    "ablation": ({"train": {"ablations": ["no_gates"]}}, "train.ablations needs a row {fusion: conflict, ...}"),
    "answers": ({"answers": {"tuned": [{"model": "bert"}]}}, "answers.runs: 'bert' is not a known method"),
    "videos": ({"videos": {"recipes": {"focalnet": {}}}}, "videos.runs: 'focalnet' is not a known method"),
    "words of faces": (
        {"videos": {"runs": [{"model": "focalnet_tiny", "modalities": "VT"}]}},
        "videos.runs: focalnet_tiny takes V or VQ, not VT; it looks at faces",
    ),
    "no towers": ({"videos": {"runs": [{"model": "emoclip"}]}}, "has no clip; give its file or folder"),
    "question alone": (
        {"videos": {"runs": [{"model": "discrepancy", "modalities": "Q"}]}},
        "videos.runs: discrepancy needs V, A, T or C beside Q",
    ),
    "adaptation": ({"adapt": {"methods": ["shoot"]}}, "adapt.methods: 'shoot' is not a known method"),
    "adaptation without folds": (
        {"adapt": {"targets": "cross_validation"}, "train": {"folds": 0}},
        "adapt.targets: cross_validation needs folds; set train.folds to 2 or more",
    ),
    "CLIP in folds": (
        {
            "adapt": {"targets": "cross_validation", "methods": ["tda"]},
            "train": {"folds": 5},
            "models": {"paths": {"clip": "."}},
        },
        "adapt.targets: cross_validation is for methods over features, tda starts from CLIP",
    ),
    "adapted faces": (
        {"adapt": {"faces": [{"scope": "full"}]}},
        "adapt.faces: mini_xception is used as it is and has no classes of A/H",
    ),
    "adapted faces without classes": (
        TRAINED_BACKBONE | {"adapt": {"faces": [{"scope": "full"}]}, "backbone": {"stages": ["emotions"], **SETS}},
        "adapt.faces: the backbone has no classes of A/H; add ah to backbone.stages",
    ),
    "adapted faces of val": (
        TRAINED_BACKBONE | {"adapt": {"targets": "val", "faces": [{"scope": "full"}]}, "backbone": {"stages": ["ah"]}},
        "their participants cannot be the targets; set adapt.targets to test, or leave the backbone out",
    ),
    "adapted faces twice": (
        TRAINED_BACKBONE | {"adapt": {"faces": [{}, {}]}, "backbone": {"stages": ["ah"]}},
        "adapt.faces: backbone with scope full stands there twice; keep one row",
    ),
    "method for faces": (
        TRAINED_BACKBONE | {"adapt": {"faces": [{"methods": ["person_hmm"]}]}, "backbone": {"stages": ["ah"]}},
        "adapt.faces: 'person_hmm' is not a known method",
    ),
    "adapted fusion": (
        CAN | {"adapt": {"fusions": [{"fusion": "lfan", "modalities": "V"}]}},
        "adapt.fusions: lfan on V is not in train.runs; known are can on VA",
    ),
    "method for no fusion": (
        CAN | {"adapt": {"fusions": [{"fusion": "can", "modalities": "VA", "methods": ["mmd"]}]}},
        "adapt.fusions: 'mmd' is not a known method; known are source_only, shot, nrc, bn_adapt",
    ),
    "a fusion chosen by the targets": (
        CAN | {"adapt": {"targets": "val", "fusions": [{"fusion": "can", "modalities": "VA"}]}},
        "chosen by val, so that their participants cannot be the targets; set adapt.targets to test",
    ),
    "a seed that no fusion has": (
        CAN | {"adapt": {"seeds": [9], "fusions": [{"fusion": "can", "modalities": "VA"}]}},
        "adapt.fusions: no fusion is trained with seed 9; name it in train.seeds",
    ),
    "backbone": ({"features": {"visual": {"backbone": "resnet99"}}}, "'resnet99' is not a known backbone"),
    "options of the small backbone": (
        {"features": {"visual": {"options": {"size": 3}}}},
        "mini_xception is used as it is, without backbone.stages and options; to train, name one of resnet18",
    ),
    "no weights": (RESNET, "there are no weights for resnet18; give models.paths.expression_backbone, or train it"),
    "flattered": (
        RESNET | {"backbone": {"stages": ["ah"]}, "train": {"folds": 5}},
        "of models with V would be flattered; set train.folds to 0, or stages to [emotions]",
    ),
    "a model of no set": (
        {"models": {"roles": {"vggish": "embedded"}}, "features": {"audio": {"feature": "vggish"}}},
        "the 'embedded' model set has no vggish; give its file or folder under models.paths.vggish, or choose a set "
        "that has one under models.roles.vggish: paper",
    ),
    "a backbone of no set": (
        {"models": {"roles": {"expression_backbone": "paper"}}},
        "the 'paper' model set has no expression_backbone for mini_xception",
    ),
    "a licence that is not accepted": (
        {"models": {"roles": {"face_detector": "insightface"}}},
        "insightface_scrfd: det_10g.onnx (17 MB) is under this licence: InsightFace's models are for non-commercial "
        "research alone; if it allows your use, set models.accept_licences: [insightface-non-commercial]",
    ),
    "no vggish": ({"features": {"audio": {"feature": "vggish"}}}, "has no vggish; give its file or folder"),
    "scores of the run itself": (
        {"report": {"other_runs": {"a": "results/x"}}},
        "report.other_runs.a names this run itself; leave it out",
    ),
    "scores of no run": (
        {"report": {"other_runs": {"a": "results/y/"}}},
        "report.other_runs.a: there is no results/y/evaluate/scores.parquet; finish that run first",
    ),
}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    (tmp_path / "release").mkdir()
    monkeypatch.chdir(tmp_path)
    return {"run": "x", "dataset": {"root": "release"}}


@pytest.mark.parametrize(("changes", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named(config, changes, sentence):
    assert checked_flow(config, load=False).ingest.root == "release"
    with pytest.raises(WaverError, match=re.escape(sentence)):
        checked_flow(overlaid(config, changes), load=False)


OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "fusion": ({"train": {"options": {"lfan": {"widths": 3}}}}, "options of lfan: widths is not a known key"),
    "answers": ({"answers": {"options": {"tfidf": {"x": 1}}}}, "options of tfidf: x is not a known key"),
    "videos": ({"videos": {"options": {"focalnet_tiny": {"size": "base"}}}}, "size of focalnet_tiny is tiny"),
    "adaptation": ({"adapt": {"options": {"shot": {"x": 1}}}}, "options of shot: x is not a known key"),
}


@pytest.mark.parametrize(("changes", "sentence"), OPTIONS.values(), ids=OPTIONS)
def test_options_are_held_to_the_method_where_it_may_be_loaded(config, changes, sentence):
    changed = overlaid(config, changes)
    checked_flow(changed, load=False)
    with pytest.raises(WaverError, match=re.escape(sentence)):
        checked_flow(changed, load=True)


@pytest.mark.slow
def test_what_a_job_checks_loads_no_network(config):
    code = (
        "import sys\nfrom waver.workflow.flow import checked_flow\n"
        f"checked_flow({config | {'train': {'options': {'lfan': {'dropout': 0.2}}}}!r}, load=False)\n"
        "print('torch' in sys.modules)"
    )
    environment = {"PYTHONPATH": str(ROOT / "src")}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert result.stdout.strip() == "False", result.stderr


@pytest.mark.parametrize("overlay", sorted((ROOT / "config/presets/grids").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_grid_lies_over_the_demo(overlay: Path) -> None:
    demo, grid = (yaml.safe_load(path.read_text()) for path in (ROOT / "config/presets/demo.yaml", overlay))
    assert checked_flow(overlaid(demo, grid), load=False).run.demo
