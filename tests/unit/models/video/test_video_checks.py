"""Video models as their authors built and trained them: defaults and recipes."""

import torch

from waver.config.videos import VideosConfig
from waver.models.base import VideoModel
from waver.models.video import discrepancy
from waver.records import load, method_config
from waver.registry import VIDEO_MODELS


def test_the_discrepancy_transformer_is_the_originals():
    config = method_config(VIDEO_MODELS, "discrepancy", {})
    assert (config.size, config.heads, config.layers, config.feedforward, config.hidden) == (768, 8, 2, 1536, 512)
    assert (config.dropout, config.blend, config.text_weight, config.focal) == (0.5, 0.6, 0.5, 2.0)
    assert (config.cutmix, config.windows, config.test_windows, config.film) == (0.5, 3, 5, True)
    assert config.tokens == ("own", "difference", "product")
    train = VideosConfig().recipe("discrepancy")
    assert (train.optimiser, train.lr, train.weight_decay, train.batch) == ("adamw", 3e-5, 1e-2, 16)
    assert (train.epochs, train.warm_up, train.patience) == (60, 5, 15)


def test_video_focalnet_is_trained_as_on_kinetics():
    train = VideosConfig().recipe("focalnet_tiny")
    assert (train.optimiser, train.lr, train.batch) == ("sgd", 0.1 * 64 / 512, 64)
    assert (train.epochs, train.warm_up, train.weight_decay) == (60, 5, 1e-4)
    assert (train.label_smoothing, train.clip, train.augment) == (0.1, 5, True)
    assert method_config(VIDEO_MODELS, "focalnet_base", {}).frames == 8


def test_emoclip_learns_the_cross_entropy_of_two_sentences_and_its_towers_a_thousandth():
    train = VideosConfig().recipe("emoclip")
    assert (train.optimiser, train.lr, train.body_rate, train.batch, train.epochs) == ("sgd", 1e-3, 1e-3, 64, 60)
    assert train.label_smoothing == 0
    config = method_config(VIDEO_MODELS, "emoclip", {})
    assert (config.frames, config.depth, config.heads) == (8, 2, 8)
    assert (config.paraphrases, config.towers, config.zero_shot) == (True, "both", False)
    # a loss of its own, as over the pairs of a batch, would take the place of the cross entropy
    assert load(VIDEO_MODELS, "emoclip").loss is VideoModel.loss


def test_half_of_the_steps_in_training_mix_videos_and_none_at_test(monkeypatch):
    mixed = []
    plain = discrepancy.cut_and_mix
    monkeypatch.setattr(discrepancy, "cut_and_mix", lambda *given: mixed.append(1) or plain(*given))
    torch.manual_seed(0)
    config = method_config(VIDEO_MODELS, "discrepancy", {"size": 8, "heads": 2, "feedforward": 8, "hidden": 8})
    model = discrepancy.Discrepancy({"visual": 4, "text": 3}, config)
    streams = {"visual": torch.randn(2, 6, 4), "text": torch.randn(2, 6, 3)}
    mask = {name: torch.ones(2, 6, dtype=torch.bool) for name in streams}
    with torch.no_grad():
        for _ in range(200):
            model.loss((streams, mask), torch.tensor([0.0, 1.0]))
        assert 75 < len(mixed) < 125
        mixed.clear()
        model.eval().loss((streams, mask), torch.tensor([0.0, 1.0]))
    assert not mixed
