import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from synthetic import DIMS, write_packs
from waver.config.sections import TrainConfig
from waver.errors import WaverError
from waver.models.registry import FUSIONS, load, method_config
from waver.training.corpus import Normalisation, read_corpus
from waver.training.loop import Job, learning_rate, make_optimiser, train, validate
from waver.training.predict import probability, video_logits

SMALL = TrainConfig(window=60, hop=30, batch=4, epochs=3, lr=0.01)


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    indexes, packs = write_packs(tmp_path_factory.mktemp("packs"), {"train": 3, "val": 2})
    parts = {split: read_corpus(indexes, packs, "VT", [split]) for split in ("train", "val")}
    normalisation = Normalisation.fit(parts["train"])
    return [[normalisation.apply(sample) for sample in parts[split]] for split in ("train", "val")]


def network(fusion="lfan", seed=0):
    torch.manual_seed(seed)
    channels = {"channels": {"visual": [8, 8], "text": [8, 8]}}
    dims = {"visual": DIMS["visual"], "text": DIMS["text"]}
    return load(FUSIONS, fusion)(dims, method_config(FUSIONS, fusion, channels))


def run(splits, folder, config=SMALL, fusion="lfan", seed=0):
    model = network(fusion)
    progress = train(model, *splits, Job(config, seed, "key", folder / "history.jsonl", folder / "state"))
    return model, progress


def test_sgd_steps_every_50_epochs_to_a_floor():
    config = TrainConfig(lr=1e-3)
    assert learning_rate(config, 1) == learning_rate(config, 50) == 1e-3
    assert learning_rate(config, 51) == pytest.approx(9e-4)
    assert learning_rate(config, 101) == pytest.approx(8.1e-4)
    assert learning_rate(config, 50_000) == 1e-7


def test_adamw_follows_half_a_cosine():
    config = TrainConfig(optimiser="adamw", lr=1e-3, epochs=60)
    assert learning_rate(config, 1) == pytest.approx(1e-3)
    assert learning_rate(config, 31) == pytest.approx(5e-4, rel=1e-3)
    assert 1e-7 < learning_rate(config, 60) < 1e-6


def test_the_papers_optimiser():
    group = make_optimiser(network(), TrainConfig()).param_groups[0]
    assert (group["momentum"], group["nesterov"], group["weight_decay"], group["lr"]) == (0.9, True, 1e-4, 1e-3)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_history_has_one_record_an_epoch_and_the_loss_falls(splits, tmp_path, fusion):
    _, progress = run(splits, tmp_path, SMALL.model_copy(update={"epochs": 5}), fusion)
    lines = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4, 5]
    assert set(lines[0]) == {
        "epoch", "train_loss", "val_loss", "val_AP", "val_AP_paper", "val_AVGF1", "lr", "seconds", "data_wait_s",
    }  # fmt: skip
    assert lines[-1]["train_loss"] < lines[0]["train_loss"]
    assert 0 < lines[-1]["data_wait_s"] < lines[-1]["seconds"]
    assert progress.best_score == max(line["val_AP"] for line in lines)


def test_the_best_epoch_is_kept_and_of_equal_ones_the_first(splits, tmp_path):
    model, progress = run(splits, tmp_path, SMALL.model_copy(update={"epochs": 4, "select": "AVGF1"}))
    scores = [record["val_AVGF1"] for record in progress.history]
    assert progress.best_epoch == 1 + scores.index(max(scores))
    assert validate(model, splits[1], SMALL)["val_AVGF1"] == pytest.approx(max(scores))


def test_patience_ends_it(splits, tmp_path):
    # with a learning rate this small nothing changes: all epochs score alike, the first one is kept
    config = SMALL.model_copy(update={"epochs": 30, "patience": 2, "lr": 1e-30, "select": "AVGF1", "weight_decay": 0.0})
    model = network()
    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm1d):
            part.momentum = 0.0
    progress = train(model, *splits, Job(config, 0, "key", tmp_path / "h", tmp_path / "s"))
    assert (progress.best_epoch, progress.epoch) == (1, 3)


def test_two_runs_with_one_seed_are_bit_identical(splits, tmp_path):
    first, _ = run(splits, tmp_path / "a")
    second, _ = run(splits, tmp_path / "b")
    other, _ = run(splits, tmp_path / "c", seed=1)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


def test_bf16_and_class_weights_train_too(splits, tmp_path):
    config = SMALL.model_copy(update={"precision": "bf16", "class_weight": True, "optimiser": "adamw"})
    _, progress = run(splits, tmp_path, config)
    assert all(math.isfinite(record["train_loss"]) for record in progress.history)
    assert progress.history[-1]["train_loss"] < progress.history[0]["train_loss"]


def test_val_without_positives_is_told_unless_another_score_selects(splits, tmp_path):
    train_videos, val = splits
    negative = [replace(sample, label=np.zeros_like(sample.label)) for sample in val]
    with pytest.raises(WaverError, match=r"AP is undefined on the val split.*train\.select to AVGF1"):
        run((train_videos, negative), tmp_path)
    _, progress = run((train_videos, negative), tmp_path / "b", SMALL.model_copy(update={"select": "AVGF1"}))
    assert progress.history[0]["val_AP"] is None


def test_a_diverged_training_is_told(splits, tmp_path):
    features = {**splits[0][0].features, "visual": np.full_like(splits[0][0].features["visual"], np.inf)}
    with pytest.raises(WaverError, match=r"training loss is nan in epoch 1"):
        run(([replace(splits[0][0], features=features)], splits[1]), tmp_path)


def test_repeat_scores_padding_and_mask_does_not(splits):
    model, val = network().eval(), splits[1]
    long = SMALL.model_copy(update={"window": 400})
    masked = validate(model, val, long)
    repeated = validate(model, [_padded(sample, 400) for sample in val], long)
    assert masked["val_loss"] != pytest.approx(repeated["val_loss"], abs=1e-4)
    frames = video_logits(model, val[0], 400, 30, torch.device("cpu"))
    padded = video_logits(model, _padded(val[0], 400), 400, 30, torch.device("cpu"))
    assert np.allclose(frames, padded[: val[0].frames], atol=1e-5)


def _padded(sample, frames):
    from waver.training.windows import repeat_last

    return repeat_last(sample, frames)


def test_overlapping_windows_average_logits(splits):
    model, sample = network().eval(), splits[1][0]
    logits = video_logits(model, sample, 60, 30, torch.device("cpu"))
    starts = [*range(0, sample.frames - 59, 30)]
    starts += [sample.frames - 60] if starts[-1] + 60 < sample.frames else []
    total, seen = np.zeros((sample.frames, 2)), np.zeros((sample.frames, 1))
    for start in starts:
        streams = {n: torch.from_numpy(x[None, start : start + 60]) for n, x in sample.features.items()}
        with torch.no_grad():
            total[start : start + 60] += model(streams, torch.ones(1, 60, dtype=torch.bool))[0].numpy()
        seen[start : start + 60] += 1
    assert seen.max() > 1
    assert np.allclose(logits, total / seen, atol=1e-5)
    whole = video_logits(model, sample, 10_000, 30, torch.device("cpu"))
    assert not np.allclose(logits, whole, atol=1e-4)


def test_a_fusion_of_whole_videos_ignores_the_window(splits):
    model, sample = network("can").eval(), splits[1][0]
    logits = [video_logits(model, sample, window, 30, torch.device("cpu")) for window in (60, 10_000)]
    assert np.array_equal(*logits)


def test_probability_is_the_softmax_and_keeps_the_ranking_of_confident_logits():
    logits = np.array([[0, 0], [1, 3], [60, 0], [61, 0], [0, 800]], np.float32)
    chance = probability(logits)
    assert chance[:2] == pytest.approx([0.5, 1 / (1 + math.exp(-2))])
    assert 0 < chance[3] < chance[2] < 1e-20
    assert chance[4] == 1
