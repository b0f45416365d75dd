"""A conflict between modalities can be learned from all of them, and from none of them alone."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from waver.config.sections import TrainConfig
from waver.modalities import modality_names
from waver.training.corpus import VideoSample
from waver.training.frames.fit import fit
from waver.training.frames.predict import predict, probability
from waver.training.trainer import Job

FRAMES = 160
SIZES = {"visual": 16, "audio": 16, "text": 16}
CHANNELS = {"channels": {name: [12, 12] for name in SIZES}}
CONFIG = TrainConfig(
    window=FRAMES, hop=48, batch=4, epochs=10, optimiser="adamw", lr=1e-2, options={"lfan": CHANNELS, "can": CHANNELS}
)


def states(rng):
    """Independent states of -1 or +1, each held for 12 to 24 frames."""
    lengths = rng.integers(12, 25, FRAMES // 12 + 1)
    return rng.choice([-1.0, 1.0], len(lengths)).repeat(lengths)[:FRAMES]


def videos(split, count, rng, directions):
    """Samples whose label is 1 where face and words disagree; the voice tells nothing."""
    made = []
    for number in range(count):
        held = {name: states(rng) for name in SIZES}
        features = {
            name: (0.7 * held[name][:, None] * directions[name] + rng.standard_normal((FRAMES, size))).astype(
                np.float32
            )
            for name, size in SIZES.items()
        }
        label = (held["visual"] != held["text"]).astype(np.uint8)
        valid = {name: np.ones(FRAMES, bool) for name in SIZES}
        made.append(VideoSample(f"{split}{number}_Q1", f"{split}{number}", split, 1, features, valid, label, True))
    return made


@pytest.fixture(scope="module")
def splits():
    rng = np.random.default_rng(3)
    directions = {name: rng.standard_normal(size) for name, size in SIZES.items()}
    return [videos(split, n, rng, directions) for split, n in (("train", 36), ("val", 6), ("test", 120))]


def held_out_auc(splits, folder, fusion, modalities, epochs=CONFIG.epochs):
    names = modality_names(modalities)
    train, val, test = (
        [replace(v, features={n: v.features[n] for n in names}, valid={n: v.valid[n] for n in names}) for v in split]
        for split in splits
    )
    job = Job(CONFIG.model_copy(update={"epochs": epochs}), 0, "", folder / "history", folder / "state")
    logits = predict(fit(train, val, fusion, modalities, job), test)
    chance = np.concatenate([probability(logits[video.video]) for video in test])
    return roc_auc_score(np.concatenate([video.label for video in test]), chance)


@pytest.mark.slow
@pytest.mark.parametrize("fusion", ["lfan", "can"])
def test_all_modalities_see_the_conflict(splits, tmp_path, fusion):
    assert held_out_auc(splits, tmp_path, fusion, "VAT") > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("modality", ["V", "A", "T"])
def test_no_modality_alone_sees_it(splits, tmp_path, modality):
    assert held_out_auc(splits, tmp_path, "lfan", modality, epochs=5) == pytest.approx(0.5, abs=0.06)
