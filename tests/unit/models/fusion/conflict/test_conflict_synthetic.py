"""The conflict model on drawn conflicts, which nothing but a comparison can find."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from waver.config.sections import TrainConfig
from waver.evaluation.metrics import auroc
from waver.modalities import modality_names
from waver.models.fusion.conflict.evidence import WITHIN, within_features
from waver.training.corpus import VideoSample
from waver.training.frames.checkpoint import build_model
from waver.training.frames.fit import fit
from waver.training.frames.predict import predict
from waver.training.trainer import Job

pytestmark = pytest.mark.slow

STEPS, SIZE = 48, 16
NAMES = ("visual", "audio", "text")
SMALL = {"channels": dict.fromkeys(NAMES, (24, 24)), "size": 24, "shared": 16, "heads": 2, "layers": 1, "pool": 1}
CONFIG = TrainConfig(window=STEPS, hop=STEPS, batch=16, epochs=2, optimiser="adamw", lr=3e-3, weight_decay=1e-2)


def sample(name, split, features, label):
    valid = {modality: np.ones(len(label), bool) for modality in features}
    return VideoSample(f"{name}_Q1", name, split, 1, features, valid, label.astype(np.uint8), True)


def signs(state, direction, rng):
    """Features of a state of -1 or +1: a direction of their own, and noise beside."""
    noise = rng.standard_normal((len(state), SIZE))
    return (0.7 * state[:, None] * direction + noise).astype(np.float32)


def crossed(split, count, rng, directions, pair=("visual", "text")):
    """Each modality holds -1 or +1 for 12 steps, independent of the others; A/H is where two differ."""
    made = []
    for number in range(count):
        state = {name: rng.choice([-1.0, 1.0], STEPS // 12).repeat(12) for name in NAMES}
        features = {name: signs(state[name], directions[name], rng) for name in NAMES}
        made.append(sample(f"{split}{number}", split, features, state[pair[0]] != state[pair[1]]))
    return made


@pytest.fixture(scope="module")
def splits():
    rng = np.random.default_rng(0)
    directions = {name: rng.standard_normal(SIZE) for name in NAMES}
    return {split: crossed(split, n, rng, directions) for split, n in (("train", 240), ("val", 12), ("test", 100))}


def trained(splits, folder, modalities, config=CONFIG, **options):
    """The fitted checkpoint, and the log odds of the test frames."""
    config = config.model_copy(update={"options": {"conflict": {**SMALL, "dropout": 0.0, **options}}})
    train, val, test = ([only(v, modalities) for v in splits[s]] for s in ("train", "val", "test"))
    checkpoint = fit(train, val, "conflict", modalities, Job(config, 0, "", folder / "history", folder / "state"))
    logits = predict(checkpoint, test)
    return checkpoint, np.concatenate([logits[v.video][:, 1] - logits[v.video][:, 0] for v in test])


def only(video, modalities):
    names = modality_names(modalities)
    return replace(video, features={n: video.features[n] for n in names}, valid={n: video.valid[n] for n in names})


def truth(videos):
    return np.concatenate([video.label for video in videos])


@pytest.fixture(scope="module")
def all_three(splits, tmp_path_factory):
    return trained(splits, tmp_path_factory.mktemp("all"), "VAT", CONFIG.model_copy(update={"epochs": 5, "lr": 6e-3}))


def test_the_conflict_model_finds_the_conflict(splits, all_three):
    assert auroc(all_three[1], truth(splits["test"])) > 0.99


def test_no_modality_alone_finds_it_nor_do_all_three_voting(splits, tmp_path):
    label = truth(splits["test"])
    half = {**splits, "train": splits["train"][:120]}
    votes = {letter: trained(half, tmp_path / letter, letter)[1] for letter in "VAT"}
    for vote in votes.values():
        assert auroc(vote, label) == pytest.approx(0.5, abs=0.05)
    assert auroc(sum(votes.values()), label) == pytest.approx(0.5, abs=0.05)


def test_nor_does_linear_late_fusion(splits):
    train, test = (
        np.concatenate([np.column_stack([v.features[n] for n in NAMES]) for v in splits[s]]) for s in ("train", "test")
    )
    late = LogisticRegression(max_iter=200).fit(train, truth(splits["train"]))
    assert auroc(late.decision_function(test), truth(splits["test"])) == pytest.approx(0.5, abs=0.05)


def test_explanations_name_the_pair_in_conflict(splits, all_three):
    checkpoint, _ = all_three
    model, videos = build_model(checkpoint), [checkpoint.normalisation.apply(v) for v in splits["test"]]
    streams = {n: torch.from_numpy(np.stack([v.features[n] for v in videos])) for n in NAMES}
    found = model.explain(streams, torch.ones(len(videos), STEPS, dtype=torch.bool))
    label = truth(splits["test"])
    found_by = {name: auroc(x.flatten().double().numpy(), label) for name, x in found.items() if x.ndim == 2}
    assert found_by["conflict/visual+text"] > 0.98
    for pair in ("visual+audio", "audio+text"):
        assert found_by[f"conflict/{pair}"] == pytest.approx(0.5, abs=0.06)
    weight = {name: float(found[f"gate/{name}"].mean()) for name in ("visual+text", "audio+text", "visual+audio")}
    assert weight["visual+text"] > max(weight["audio+text"], weight["visual+audio"]) + 0.3


def test_comparing_pairs_learns_from_a_dozen_videos(splits, tmp_path):
    few = {"train": splits["train"][:12], "val": splits["val"][:1], "test": splits["test"][:60]}
    config = CONFIG.model_copy(update={"epochs": 16, "batch": 6})
    label = truth(few["test"])
    with_pairs, without = (
        auroc(trained(few, tmp_path / str(pairs), "VAT", config, pairs=pairs)[1], label) for pairs in (True, False)
    )
    assert with_pairs > 0.9
    assert without < with_pairs - 0.05


def turning(rng, steps):
    """A state of -1 or +1 held for 30 to 89 steps, and which steps lie within 12 of a turn."""
    lengths = rng.integers(30, 90, steps // 30 + 1)
    state = (rng.choice([-1, 1]) * (-1.0) ** np.arange(len(lengths))).repeat(lengths)[:steps]
    turns = np.flatnonzero(np.diff(state)) + 0.5
    near = (np.abs(np.arange(steps)[:, None] - turns) <= 12).any(1)
    return state, near


def test_within_features_find_turns_of_mood():
    rng = np.random.default_rng(0)
    drawn = [turning(rng, 600) for _ in range(20)]
    state, near = (np.stack(part) for part in zip(*drawn, strict=True))
    positive = np.where(state > 0, 0.9, 0.1)
    hesitant = rng.random(state.shape)
    affect = torch.from_numpy(np.stack([positive, 1 - positive, hesitant], -1)).float()
    mask = torch.ones(state.shape, dtype=torch.bool)
    found = within_features(affect, mask, causal=False).double().numpy()
    by = {name: auroc(found[..., i].ravel(), near.ravel()) for i, name in enumerate(WITHIN)}
    assert min(by[f"{name}_12"] for name in ("kaplan", "griffin", "sd")) > 0.999
    assert by["reversal_12"] > 0.99
    assert all(0.6 < by[f"{name}_3"] < 0.76 for name in ("kaplan", "griffin", "reversal", "sd"))
    assert auroc(hesitant.ravel(), near.ravel()) == pytest.approx(0.5, abs=0.02)


def test_one_modality_is_enough_where_it_contradicts_itself(tmp_path):
    rng, direction = np.random.default_rng(0), np.random.default_rng(1).standard_normal(SIZE)
    splits = {}
    for split, count in (("train", 24), ("val", 2), ("test", 24)):
        drawn = [turning(rng, 240) for _ in range(count)]
        splits[split] = [
            sample(f"{split}{i}", split, {"text": signs(state, direction, rng)}, near)
            for i, (state, near) in enumerate(drawn)
        ]
    config = CONFIG.model_copy(update={"window": 240, "hop": 240, "batch": 4, "epochs": 14})
    label = truth(splits["test"])
    scores = {
        name: auroc(trained(splits, tmp_path / name, "T", config, **options)[1], label)
        for name, options in {
            "default": {},
            "stopped": {"stop_gradient": True},
        }.items()
    }
    assert scores["default"] > 0.95
    # affect that nobody supervises is worth something only if it may learn from A/H
    assert scores["stopped"] < scores["default"] - 0.05
