import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from checkout import ROOT
from killed import killed_after
from synthetic import DIMS, write_packs
from waver.config.sections import TrainConfig
from waver.errors import WaverError
from waver.provenance import seed_for
from waver.records import load, method_config
from waver.registry import FUSIONS
from waver.training.checkpoint import load_archive
from waver.training.corpus import Normalisation, read_corpus
from waver.training.frames.predict import probability, video_logits
from waver.training.frames.training import FrameTraining, validate
from waver.training.frames.windows import batches, epoch_order, windows_of
from waver.training.losses import class_weights
from waver.training.lr_schedule import learning_rate
from waver.training.optim import make_optimiser
from waver.training.trainer import Job, train

pytestmark = pytest.mark.slow

SMALL = TrainConfig(window=60, hop=30, batch=4, epochs=3, lr=0.01)


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    indexes, packs = write_packs(tmp_path_factory.mktemp("packs"), {"train": 3, "val": 2})
    parts = {split: read_corpus(indexes, packs, "VT", [split]) for split in ("train", "val")}
    normalisation = Normalisation.fit(parts["train"])
    return [[normalisation.apply(sample) for sample in parts[split]] for split in ("train", "val")]


def network(fusion="lfan", seed=0):
    torch.manual_seed(seed)
    method = load(FUSIONS, fusion)
    options = {"channels": {"visual": [8, 8], "text": [8, 8]}} if "channels" in method.Config.model_fields else {}
    options |= {"size": 16, "shared": 8, "layers": 1} if fusion == "conflict" else {}
    dims = {"visual": DIMS["visual"], "text": DIMS["text"]}
    return method(dims, method_config(FUSIONS, fusion, options))


def run(splits, folder, config=SMALL, fusion="lfan", seed=0):
    model = network(fusion)
    return model, trained(model, splits, Job(config, seed, "key", folder / "history.jsonl", folder / "state"))


def trained(model, splits, job):
    return train(FrameTraining(model, *splits, job.config, job.seed), job)


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
        "epoch", "train_loss", "val_loss", "val_AP", "val_AP_paper", "val_AVGF1", "val_AVGF1_AP", "lr", "seconds",
        "data_wait_s",
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
    progress = trained(model, splits, Job(config, 0, "key", tmp_path / "h", tmp_path / "s"))
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
    from waver.training.frames.windows import repeat_last

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


def by_hand(videos, config, seed=0):
    """What training is without anything that the config may add: the weights after the last epoch."""
    model = network()
    rate = {"lr": config.lr, "weight_decay": config.weight_decay}
    optimiser = (
        torch.optim.SGD(model.parameters(), momentum=0.9, nesterov=True, **rate)
        if config.optimiser == "sgd"
        else torch.optim.AdamW(model.parameters(), **rate)
    )
    windows = windows_of([video.frames for video in videos], 64 // config.stride, 32 // config.stride)
    weight = class_weights(videos) if config.class_weight else None
    for epoch in range(1, config.epochs + 1):
        torch.manual_seed(seed_for("train", seed, "epoch", epoch))
        optimiser.param_groups[0]["lr"] = learning_rate(config, epoch)
        model.train()
        for batch in batches(videos, windows, config.batch, epoch_order(len(windows), seed, epoch)):
            optimiser.zero_grad(set_to_none=True)
            logits, label = model(batch.streams, batch.mask)[batch.mask], batch.label[batch.mask]
            torch.nn.functional.cross_entropy(logits, label, weight).backward()
            optimiser.step()
    return model.state_dict()


RECIPES = {"default": TrainConfig().recipe} | {
    preset: TrainConfig(**yaml.safe_load((ROOT / f"config/presets/{preset}.yaml").read_text())["train"]).recipe
    for preset in ("demo", "transcripts")
}


@pytest.mark.parametrize("class_weight", [False, True])
@pytest.mark.parametrize("preset", RECIPES)
def test_the_presets_train_as_by_hand_bit_by_bit(splits, tmp_path, preset, class_weight):
    config = TrainConfig(**{**RECIPES[preset], "class_weight": class_weight, "epochs": 2, "window": 64, "hop": 32})
    run(splits, tmp_path, config)
    last, expected = load_archive(tmp_path / "state")["model"], by_hand(splits[0], config)
    assert all(torch.equal(last[name], value) for name, value in expected.items())
    other = by_hand(splits[0], config.model_copy(update={"lr": config.lr * 1.001}))
    assert not all(torch.equal(last[name], value) for name, value in other.items())


EVERYTHING = SMALL.model_copy(
    update={
        "optimiser": "adamw", "schedule": "steps", "warmup": 0.2, "clip": 0.5, "ema": 0.9, "decay_vectors": False,
        "undersample": 0.5, "f1_share": 0.5, "class_weight": True, "select": "AVGF1_AP", "epochs": 4,
    }
)  # fmt: skip
"""A recipe with all that may be added."""


@pytest.mark.parametrize("fusion", ["lfan", "conflict"])
def test_a_job_that_goes_on_ends_as_if_it_had_never_been_killed(splits, tmp_path, fusion):
    whole, undisturbed = run(splits, tmp_path / "a", EVERYTHING, fusion)
    with killed_after(2):
        run(splits, tmp_path / "b", EVERYTHING, fusion)
    model, progress = run(splits, tmp_path / "b", EVERYTHING, fusion)
    assert len(progress.history) == 4
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), model.parameters(), strict=True))
    states = [load_archive(tmp_path / folder / "state") for folder in ("a", "b")]
    assert states[0]["ema"]["n_averaged"] == states[1]["ema"]["n_averaged"] > 4
    for part in ("model", "ema"):
        first, second = (state[part] for state in states)
        assert all(torch.equal(first[name], second[name]) for name in first)
    for score in ("val_AVGF1_AP", "train_loss", "lr"):
        assert [r[score] for r in progress.history] == [r[score] for r in undisturbed.history]


def test_averaged_weights_are_those_judged_and_kept(splits, tmp_path):
    config = SMALL.model_copy(update={"ema": 0.9, "epochs": 1})
    model, progress = run(splits, tmp_path / "a", config)
    assert validate(model, splits[1], config)["val_AP"] == pytest.approx(progress.best_score)
    state = load_archive(tmp_path / "a/state")
    averaged = {name: state["ema"][f"module.{name}"] for name in state["model"]}
    assert all(torch.equal(averaged[name], value) for name, value in model.state_dict().items())
    # what is trained is not touched by the average
    run(splits, tmp_path / "b", SMALL.model_copy(update={"epochs": 1}))
    plain = load_archive(tmp_path / "b/state")["model"]
    assert all(torch.equal(plain[name], value) for name, value in state["model"].items())
    assert not all(torch.equal(plain[name], value) for name, value in averaged.items())


def test_no_step_is_longer_than_the_clipped_gradient_allows(splits, tmp_path):
    config = SMALL.model_copy(update={"epochs": 1, "batch": 1000, "clip": 1e-3, "weight_decay": 0.0, "lr": 0.1})
    before = network().state_dict()
    run(splits, tmp_path, config)
    after = load_archive(tmp_path / "state")["model"]
    names = [name for name, _ in network().named_parameters()]
    moved = math.sqrt(sum(float((after[name] - before[name]).square().sum()) for name in names))
    # one step of Nesterov's momentum is (1 + .9) times rate times gradient
    assert moved == pytest.approx(1.9 * 0.1 * 1e-3, rel=1e-3)


def test_the_rate_of_the_history_is_that_of_the_last_step(splits, tmp_path):
    config = SMALL.model_copy(update={"optimiser": "adamw", "schedule": "steps", "warmup": 0.25, "epochs": 4})
    _, progress = run(splits, tmp_path, config)
    rates = [record["lr"] for record in progress.history]
    assert rates[0] == pytest.approx(config.lr)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.1 * config.lr


def test_fewer_windows_without_ah_are_seen(splits, tmp_path, monkeypatch):
    seen = []

    def spy(samples, windows, size, order):
        seen.append([windows[number] for number in order])
        return batches(samples, windows, size, order)

    monkeypatch.setattr("waver.training.frames.training.batches", spy)
    quiet = [replace(sample, label=np.where(np.arange(sample.frames) < 60, sample.label, 0)) for sample in splits[0]]
    run((quiet, splits[1]), tmp_path, SMALL.model_copy(update={"undersample": 0.5, "window": 30, "epochs": 2}))
    has = [[quiet[w.sample].label[w.start : w.stop].any() for w in epoch] for epoch in seen]
    everything = windows_of([sample.frames for sample in quiet], 30, 30)
    positive = [w for w in everything if quiet[w.sample].label[w.start : w.stop].any()]
    assert [sum(epoch) for epoch in has] == [len(positive)] * 2
    assert [len(epoch) - sum(epoch) for epoch in has] == [round(0.5 * len(positive))] * 2
    drawn = [{w for w, p in zip(epoch, flags, strict=True) if not p} for epoch, flags in zip(seen, has, strict=True)]
    assert drawn[0] != drawn[1]
