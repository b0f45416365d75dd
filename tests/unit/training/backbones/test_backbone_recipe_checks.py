"""How the visual backbone is trained where nothing else is said: the papers' two stages."""

from dataclasses import replace

import pytest
import torch

from waver.assets.manifest import install
from waver.config.backbone import EmotionsStage, FramesStage
from waver.datasets.emotions.readers import EMOTIONS
from waver.models.backbones.checkpoint import Trained, archive
from waver.records import MethodRecord
from waver.registry import BACKBONES
from waver.training.backbones.stage import Start, initial_network
from waver.training.backbones.tasks import TASKS, balanced, shuffled
from waver.training.backbones.training import make_optimiser
from waver.training.lr_schedule import learning_rate, lr_schedule

BEGIN = Start("tiny", {}, None, 0, 0, "code")


def test_both_stages_have_the_papers_recipe():
    for stage in (EmotionsStage(), FramesStage()):
        assert (stage.epochs, stage.batch, stage.at_once) == (60, 1424, 356)
        assert stage.batch == 4 * stage.at_once
        assert (stage.optimiser, stage.weight_decay, stage.new_layers) == ("sgd", 1e-4, 10)
        assert 9e-4 <= stage.lr <= 1e-3


def test_six_emotions_without_the_neutral_one_and_two_classes_of_frames():
    assert TASKS["emotions"].classes == EMOTIONS
    assert EMOTIONS == ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
    assert len(TASKS["ah"].classes) == 2
    # frames are drawn as many without as with A/H, pictures of emotions as they come
    assert (TASKS["ah"].draw, TASKS["emotions"].draw) == (balanced, shuffled)


@pytest.mark.parametrize("training", ["emotions", "frames", "frames after emotions"])
def test_the_head_has_ten_times_the_rate_in_all_three_trainings(tmp_path, monkeypatch, training):
    monkeypatch.setitem(BACKBONES, "tiny", MethodRecord("tiny_backbone:Tiny"))
    task = TASKS["emotions" if training == "emotions" else "ah"]
    recipe = EmotionsStage() if training == "emotions" else FramesStage()
    file = tmp_path / "w.pt"
    if training == "frames after emotions":
        before, _ = initial_network(TASKS["emotions"], BEGIN)
        about = Trained("tiny", "emotions", EMOTIONS)
        torch.save(archive(about, before.backbone.config.model_dump(), before.state_dict()), file)
    else:
        torch.save(initial_network(task, BEGIN)[0].backbone.state_dict(), file)
    install("path.expression_backbone", tmp_path / "model", {"expression_backbone": str(file)})
    network, new = initial_network(task, replace(BEGIN, initial=tmp_path / "model/asset.json"))
    optimiser = make_optimiser(network, new, recipe)
    lr_schedule(optimiser, lambda step: learning_rate(recipe, 1 + step))
    rate_of = {id(p): group["lr"] for group in optimiser.param_groups for p in group["params"]}
    assert {rate_of[id(p)] for p in network.head.parameters()} == {10 * recipe.lr}
    assert {rate_of[id(p)] for p in network.backbone.conv.parameters()} == {recipe.lr}
