"""How the visual backbone is trained where nothing else is said: the papers' two stages."""

from waver.config.backbone import EmotionsStage, FramesStage
from waver.datasets.emotions.readers import EMOTIONS
from waver.training.backbones.tasks import TASKS, balanced, shuffled


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
