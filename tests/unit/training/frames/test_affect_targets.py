"""Targets of affect on their way from samples into the conflict model's loss."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from waver.config.training import TrainConfig
from waver.records import load, method_config
from waver.registry import FUSIONS
from waver.training.checkpoint import load_archive
from waver.training.corpus import VideoSample
from waver.training.frames import fit as fitting
from waver.training.frames.checkpoint import build_model
from waver.training.frames.explanations import video_tracks
from waver.training.frames.fit import fit, read_training_data
from waver.training.frames.windows import collate, windows_of
from waver.training.trainer import Job

FRAMES = 96
SMALL = {"channels": {"visual": [8], "text": [8], "audio": [8]}, "size": 8, "shared": 4, "layers": 0, "dropout": 0.0}


def config(epochs=3, **options):
    return TrainConfig(
        window=FRAMES, hop=48, batch=4, epochs=epochs, optimiser="adamw", lr=0.01,
        options={"conflict": {**SMALL, **options}},
    )  # fmt: skip


def videos(split, count, seed, affect=True):
    """Face and words; of the face it is known how positive it is, in the first half of each video alone."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        positive = (rng.random(FRAMES // 12).repeat(12) > 0.5).astype(np.float32)
        features = {name: rng.standard_normal((FRAMES, 6)).astype(np.float32) for name in ("visual", "text")}
        features["visual"][:, 0] += 3 * positive
        target = np.full((FRAMES, 3), np.nan, np.float32)
        target[: FRAMES // 2, 0] = positive[: FRAMES // 2]
        made.append(
            VideoSample(
                f"{split}{number}_Q1", f"{split}{number}", split, 1, features,
                {name: np.ones(FRAMES, bool) for name in features},
                rng.integers(0, 2, FRAMES // 12).repeat(12).astype(np.uint8), True,
                {"visual": target} if affect else {},
            )
        )  # fmt: skip
    return made


def trained(tmp_path, recipe, affect=True):
    job = Job(recipe, 0, "", tmp_path / "history", tmp_path / "state")
    return fit(videos("train", 12, 0, affect), videos("val", 3, 1, affect), "conflict", "VT", job)


def test_a_batch_holds_targets_and_knows_nothing_of_padding():
    batch = collate(videos("train", 2, 0), [windows_of([FRAMES], 48, 48)[0], windows_of([FRAMES], 96, 96)[0]])
    assert {name: target.shape for name, target in batch.affect.items()} == {"visual": (2, 96, 3)}
    assert batch.affect["visual"][0, :48, 0].isfinite().all()
    assert batch.affect["visual"][0, 48:].isnan().all()
    assert batch.affect["visual"][..., 1:].isnan().all()
    assert collate(videos("train", 1, 0, affect=False), windows_of([FRAMES], 96, 96)).affect == {}


@pytest.mark.slow
@pytest.mark.parametrize("taught", [True, False])
def test_tracks_follow_the_targets_where_there_are_any(tmp_path, taught):
    checkpoint = trained(tmp_path, config(epochs=15, stop_gradient=True), affect=taught)
    # labels are chance here: the last epoch is as good as the kept one, and affect has learned longest
    checkpoint = replace(checkpoint, state=load_archive(tmp_path / "state")["model"])
    held_out = videos("test", 6, 9)
    network = build_model(checkpoint)
    tracks = [video_tracks(network, video, checkpoint)["affect/visual/positive"] for video in held_out]
    shown = np.concatenate([video.features["visual"][:, 0] > 1.5 for video in held_out])
    likeness = np.corrcoef(np.concatenate(tracks), shown)[0, 1]
    assert likeness > 0.8 if taught else abs(likeness) < 0.6


def test_affect_alone_is_learnt_in_the_first_epochs(tmp_path):
    def changed(epochs):
        torch.manual_seed(fitting.seed_for("train", 0, "weights"))
        recipe = config(epochs=epochs, affect_epochs=2).model_copy(update={"select": "AVGF1"})
        own = method_config(FUSIONS, "conflict", recipe.options["conflict"])
        fresh = load(FUSIONS, "conflict")({"visual": 6, "text": 6}, own).state_dict()
        folder = tmp_path / str(epochs)
        folder.mkdir()
        state = last_weights(folder, recipe)
        return {name.split(".")[0] for name, values in state.items() if not torch.equal(values, fresh[name])}

    assert changed(2) == {"encoders"}
    assert changed(3) >= {"encoders", "pairs", "classifier", "norm"}


@pytest.mark.slow
def test_epochs_of_affect_are_not_judged(tmp_path):
    recipe = config(epochs=8, affect_epochs=5).model_copy(update={"patience": 2})
    checkpoint = trained(tmp_path, recipe)
    history = [json.loads(line) for line in (tmp_path / "history").read_text().splitlines()]
    judged = {record["epoch"]: record["val_AP"] for record in history if record["epoch"] > 5}
    assert judged, "patience begins after them"
    assert checkpoint.record["epoch"] == max(judged, key=judged.get)


def last_weights(folder, recipe):
    """Weights after the last epoch, which the state of a training keeps."""
    trained(folder, recipe)
    return load_archive(folder / "state")["model"]


def test_only_a_fusion_that_is_taught_asks_for_targets(monkeypatch):
    calls = []
    monkeypatch.setattr(fitting, "read_corpus", lambda *a, affect: calls.append(affect) or [])
    for fusion, options in (
        ("conflict", {}),
        ("conflict", {"conflict": {"affect_share": 0.0}}),
        ("lfan", {}),
    ):
        read_training_data([], None, fusion, "VT", TrainConfig(options=options))
    assert calls == [True, False, False]
