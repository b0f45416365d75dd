"""Which model fills a role: a path, the role's own set, or the set of all."""

from __future__ import annotations

import pytest

from waver.config.model import load_config
from waver.workflow.run import Run
from waver.workflow.stages.backbone import Backbone

ACCEPTED = {"accept_licences": ["insightface-non-commercial"]}
CHOICES = {
    "default": ({}, "retinaface_mobilenet", "embedded"),
    "role": ({"roles": {"face_detector": "insightface"}} | ACCEPTED, "insightface_scrfd", "mixed"),
    "path": ({"set": "paper", "paths": {"face_detector": "w"}}, "path.face_detector", "paper"),
    "path before role": (
        {"paths": {"face_detector": "w"}, "roles": {"face_detector": "insightface"}},
        "path.face_detector",
        "mixed",
    ),
    "role of a set": ({"set": "paper", "roles": {"face_detector": "embedded"}}, "retinaface_mobilenet", "mixed"),
}


@pytest.mark.parametrize(("models", "name", "label"), CHOICES.values(), ids=CHOICES)
def test_a_role_is_filled(models, name, label):
    run = Run(load_config({"models": models}))
    assert run.model_record("face_detector") == f"resources/models/{name}/asset.json"
    assert run.prediction_record("code", {})["model_set"] == label


@pytest.mark.parametrize("stages", [[], ["emotions", "ah"]])
def test_a_backbone_begins_with_the_weights_of_its_own_network(stages):
    values = {"models": {"set": "paper"}, "features": {"visual": {"backbone": "resnet101"}}}
    backbone = {"stages": stages, "emotions": {"sets": [{"path": "pictures"}]}}
    given = Backbone(Run(load_config(values | {"backbone": backbone}))).given()
    assert given == ["resources/models/resnet101_imagenet/asset.json"]
    values["features"]["visual"]["backbone"] = "apvit"  # published where no address can be relied on
    assert Backbone(Run(load_config(values))).given() == []
    del values["models"]
    assert Backbone(Run(load_config(values))).given() == []
