"""The presets of the papers hold every number that the papers print, and leave none of a recipe to a default."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from checkout import ROOT
from waver.config.backbone import FramesStage, ImageRecipe
from waver.config.model import Config, load_config
from waver.config.section import overlaid
from waver.config.training import NOT_RECIPE, TrainConfig
from waver.workflow.run import Run
from waver.workflow.stages.backbone import Backbone

BACKBONES = {"apvit", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"}
SUBSETS = ("V", "A", "T", "VA", "VT", "AT", "VAT")


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / f"config/presets/{name}.yaml").read_text())


def config(*names: str) -> Config:
    values = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    for name in names:
        values = overlaid(values, read(name))
    return load_config(values)


OVER = [("paper2026",), ("bah300", "paper2026"), ("paper2025",), ("bah224", "paper2025")]


@pytest.fixture(scope="module", params=OVER, ids=lambda names: " over ".join(reversed(names)))
def preset(request) -> Config:
    return config(*request.param)


def test_faces_sound_and_words_are_those_of_section_4_1(preset):
    features, faces = preset.features, preset.features.faces
    assert (faces.choice, faces.size) == ("best_score", 256)  # "the face with the highest score", "resized to 256x256"
    assert (faces.threshold, faces.nms, faces.every) == (0.9, 0.4, 1)  # the released code
    assert faces.quality == config("bah300").features.faces.quality == 90  # under 10 GB
    assert features.audio.feature == "vggish"
    assert (features.words.layers, features.words.alignment) == (4, "timestamp")
    run = Run(preset)
    models = {
        "face_detector": "retinaface_resnet50", "vggish": "vggish_audioset", "word_encoder": "bert_base_uncased",
        "aligner_en": "wav2vec2_base_960h",
    } | ({"clip": "clip_vit_b32"} if preset.videos.runs else {})  # fmt: skip
    assert {role: run.model_record(role).split("/")[2] for role in models} == models
    assert Backbone(run).given() == [f"resources/models/{features.visual.backbone}_imagenet/asset.json"]


def test_the_backbone_is_trained_as_in_section_4_2_and_appendix(preset):
    # "all our next experiments will use ResNet152" (dataset paper, 4.3), ResNet101 (2026 paper)
    backbones = {"paper2025": ("bah224", "resnet152"), "paper2026": ("bah300", "resnet101")}
    assert (preset.dataset.layout, preset.features.visual.backbone) == backbones[preset.run]
    assert preset.backbone.stages == ("emotions", "ah")
    assert [one.layout for one in preset.backbone.emotions.sets] == ["raf_db", "affectnet", "aff_wild2"]
    for stage in (preset.backbone.emotions, preset.backbone.ah):
        assert (stage.epochs, stage.patience, stage.batch) == (60, 60, 1424)  # "60 epochs", "1,424 samples"
        assert stage.batch == 4 * stage.at_once  # "4 parallel NVIDIA A100 GPUs"
        assert (stage.optimiser, stage.new_layers, stage.weight_decay) == ("sgd", 10, 1e-4)
        assert 9e-4 <= stage.lr <= 1e-3  # "between 0.0009 to 0.001 with multiplying coefficient of 10"


def test_frames_are_trained_as_in_the_appendix(preset):
    train = preset.train
    assert (train.optimiser, train.weight_decay, train.epochs, train.patience) == ("sgd", 1e-4, 60, 60)
    assert 9e-4 <= train.lr <= 1e-3
    assert train.batch in (2, 4, 8, 16, 32)
    assert (min(train.windows), max(train.windows)) == (24, 2880)  # "24 (1 second) to 2880 (2 minutes)"
    assert all(window % 24 == 0 for window in (*train.windows, train.window))  # "a step of 1 second"
    assert (train.class_weight, train.decision, train.padding) == (False, "half", "mask")
    assert train.recipe == config(preset.run, "recipes/sgd_2026").train.recipe
    assert (preset.evaluate.video_rule, preset.evaluate.window_frames) == ("sliding_mean", 24)


def test_every_row_of_tables_2_to_4_is_trained(preset):
    rows = {(run.fusion, run.modalities): run.variants for run in preset.train.runs}
    assert {subset for fusion, subset in rows if fusion == "lfan"} == set(SUBSETS)
    assert {fusion for fusion, subset in rows if subset == "VAT"} == {"lfan", "can", "mt", "jmt"}
    without = preset.train.changed(preset.train.variants["frame_alone"]).options
    assert (rows["lfan", "V"], without["lfan"]["temporal"]) == (("frame_alone",), "none")
    assert rows["mt", "VAT"] == rows["jmt", "VAT"] == ("released",)
    released = preset.train.changed(preset.train.variants["released"]).options
    assert released["mt"]["variant"] == released["jmt"]["variant"] == "released"
    videos = preset.videos
    models = ["focalnet_tiny", "focalnet_small", "focalnet_base", "emoclip"]
    # the dataset paper's videos are its frames, "a sliding window averages the probability"
    assert [run.model for run in videos.runs] == (models if preset.run == "paper2026" else [])
    assert {run.seeds for run in videos.runs} <= {preset.train.seeds}
    for run in videos.runs:
        recipe = videos.recipe(run.model)
        assert (recipe.epochs, recipe.patience, recipe.batch) == (60, 60, 64)  # "a batch size of 64", "60 epochs"


@pytest.mark.parametrize("name", ["paper2026", "paper2025", "backbones/resnet101"])
def test_no_key_of_a_recipe_is_left_to_a_default(name):
    stages = read(name)["backbone"]
    for stage, model in (("emotions", ImageRecipe), ("ah", FramesStage)):
        assert set(model.model_fields) - set(stages[stage]) == {"precision"}, stage
    if "runs" in read(name).get("train", {}):
        assert set(TrainConfig.model_fields) - NOT_RECIPE - set(read(name)["train"]) == {"precision", "options"}


def test_the_papers_differ_in_release_backbone_and_video_models_alone():
    """Their training details are the same, word for word."""
    one, other = read("paper2026"), read("paper2025")
    assert one["backbone"] == other["backbone"]
    backbones = [paper["train"].pop("backbones") for paper in (one, other)]
    assert one["train"] == other["train"]
    for beside, paper in zip(backbones, (one, other), strict=True):
        assert {*beside, paper["features"]["visual"]["backbone"]} == BACKBONES
    assert one["evaluate"] == other["evaluate"]
    one["features"]["visual"] = other["features"]["visual"]
    assert one["features"] == other["features"]
    assert set(one["models"]["roles"]) - set(other["models"]["roles"]) == {"clip"}
