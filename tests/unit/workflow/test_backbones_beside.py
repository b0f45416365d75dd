"""Several visual backbones in one run: each with weights, features, packs and predictions of its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from waver.config.model import load_config
from waver.config.section import overlaid
from waver.config.training import TrainConfig
from waver.errors import WaverError
from waver.training.trained_model import other_backbone
from waver.workflow.flow import Flow
from waver.workflow.run import Run

BESIDE: dict[str, Any] = {
    "run": "x",
    "dataset": {"name": "d", "shards": 2},
    "models": {"roles": {"expression_backbone": "paper"}, "paths": {"expression_backbone": "a.pt", "apvit": "b.pt"}},
    "features": {"visual": {"backbone": "resnet18", "options": {"size": 128}}, "speech": {"source": "given"}},
    "backbone": {"stages": ["emotions", "ah"], "emotions": {"sets": [{"path": "pictures"}]}},
    "train": {
        "folds": 0,
        "seeds": [0],
        "runs": [{"fusion": "lfan", "modalities": "V"}, {"fusion": "can", "modalities": "VT"}],
        "backbones": ["apvit", "resnet34", "ir50"],
    },
}
ALONE = overlaid(BESIDE, {"train": {"backbones": []}})


def flow_of(values: dict[str, Any], changes: dict[str, Any] | None = None) -> Flow:
    return Flow(Run(load_config(overlaid(values, changes or {}))))


def wildcards(**values: str) -> SimpleNamespace:
    return SimpleNamespace(**values)


def packs(folder: str) -> list[str]:
    return [f"resources/d/align/{folder}{shard}.parquet" for shard in ("000", "001")]


def test_each_begins_with_weights_of_its_own():
    begins = {one.name: one.given() for one in (flow_of(BESIDE).backbone, *flow_of(BESIDE).backbones.others)}
    assert begins == {
        "resnet18": ["resources/models/path.expression_backbone/asset.json"],
        "apvit": ["resources/models/path.apvit/asset.json"],
        "resnet34": ["resources/models/resnet34_imagenet/asset.json"],
        "ir50": [],
    }


def test_each_is_trained_and_predicts_frames_and_has_features_and_packs_of_its_own():
    flow = flow_of(BESIDE)
    itself = [f"results/x/train/backbones/{name}/predictions.parquet" for name in ("apvit", "resnet34", "ir50")]
    assert flow.backbones.predictions() == itself
    assert flow.backbones.model_records() == [
        f"resources/d/train/{name}/asset.json" for name in ("apvit", "resnet34", "ir50")
    ]
    assert [flow.backbones.named(name).visual["options"] for name in ("", "apvit")] == [{"size": 128}, {}]
    assert [flow.backbones.packs(wildcards(backbone=name)) for name in ("resnet18", "apvit")] == [
        packs(""), packs("apvit/"),
    ]  # fmt: skip
    index = flow.features.to_pack("visual")
    assert index(wildcards(packed="", shard="001")) == "resources/d/features/visual/001.parquet"
    assert index(wildcards(packed="/apvit", shard="001")) == "resources/d/features/visual_apvit/001.parquet"
    sound = flow.features.to_pack("audio")(wildcards(packed="/apvit", shard="001"))
    assert sound == "resources/d/features/audio/001.parquet"


def test_fusions_are_trained_on_the_features_of_each():
    flow = flow_of(BESIDE)
    own = {(one.method, one.modalities): other_backbone(one.record) for one in flow.frames.models}
    assert own == {
        ("lfan", "V"): "", ("lfan.apvit", "V"): "apvit", ("lfan.resnet34", "V"): "resnet34", ("lfan.ir50", "V"): "ir50",
        ("can", "VT"): "",
    }  # fmt: skip
    first, other = (wildcards(fusion=name, modalities="V", seed="0") for name in ("lfan", "lfan.apvit"))
    assert (flow.frames.packs(first), flow.frames.packs(other)) == (packs(""), packs("apvit/"))
    assert flow.frames.recipe(first) == flow.frames.recipe(other)
    assert flow.frames.code(first) == flow.frames.code(other)
    rows = {"train": {"backbone_runs": [{"fusion": "can", "modalities": "VT"}]}}
    names = {(one.method, one.modalities) for one in flow_of(BESIDE, rows).frames.models}
    assert names == {("lfan", "V"), ("can", "VT"), ("can.apvit", "VT"), ("can.resnet34", "VT"), ("can.ir50", "VT")}


def test_those_beside_it_change_nothing_of_the_first():
    alone, beside = flow_of(ALONE), flow_of(BESIDE)
    job = wildcards(fusion="lfan", modalities="V", seed="0", shard="000", packed="", beside="", backbone="resnet18")
    for of in (
        lambda flow: (flow.backbone.visual, flow.backbone.record(), flow.backbone.start("train_backbone")),
        lambda flow: (flow.frames.recipe(job), flow.frames.packs(job), flow.frames.record(job)),
        lambda flow: (flow.features.to_pack("visual")(job), flow.backbones.frames_record(job)),
    ):
        assert of(alone) == of(beside)
    assert alone.backbone.visual == alone.run.config.features.visual.model_dump()
    assert set(alone.predictions()) < set(beside.predictions())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"train": {"backbones": ["resnet18"]}}, "resnet18 is features.visual.backbone already"),
        ({"backbone": {"stages": []}, "features": {"visual": {"options": {}}}}, r"no weights for ir50; give models\."),
    ],
)
def test_what_cannot_be_is_told(changes, sentence):
    with pytest.raises(WaverError, match=sentence):
        flow_of(BESIDE, changes).backbones.check(load=False)


def test_a_backbone_of_this_run_is_not_taken_from_another_one_too():
    flow = flow_of(BESIDE, {"report": {"other_runs": {"apvit": "results/apvit"}}})
    with pytest.raises(WaverError, match=r"report\.other_runs\.apvit: train\.backbones has apvit too"):
        flow.report.check(load=False)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"backbones": ["resnet99"]}, "'resnet99' is not a known backbone"),
        ({"backbone_runs": [{"fusion": "mt", "modalities": "VAT"}]}, "mt on VAT is not in train.runs"),
        ({"backbone_runs": [{"fusion": "lfan", "modalities": "A"}]}, "lfan on A sees no faces"),
    ],
)
def test_mistakes_of_the_section_are_told(keys, sentence):
    with pytest.raises(ValidationError, match=sentence):
        TrainConfig(**{"backbones": ["resnet34"], **keys})
