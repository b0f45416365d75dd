"""The loop of image backbones: what is drawn, what is kept, and that a killed job goes on bit by bit."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, log_loss

from killed import killed_after
from tiny_backbone import Tiny, TinySettings
from waver.config.backbone import ImageRecipe
from waver.errors import WaverError
from waver.features.faces.crops import network_input
from waver.models.backbones.apvit import Apvit, ApvitSettings
from waver.models.backbones.base import Classified
from waver.training.backbones import training as module
from waver.training.backbones.image_cache import LabelledImages
from waver.training.backbones.tasks import TASKS, balanced, class_scores, frame_scores, shuffled
from waver.training.backbones.training import ImageTraining, logits_of, make_optimiser, portions
from waver.training.lr_schedule import learning_rate
from waver.training.trainer import Job, train

RECIPE = ImageRecipe(epochs=4, batch=16, at_once=8, lr=0.05, new_layers=2)
POSITIVE = 0.2


def pictures(count: int, seed: int, positive: float = POSITIVE) -> LabelledImages:
    """Faces that are a little redder where the label is 1; every second row belongs to somebody else."""
    draw = np.random.default_rng(seed)
    label = (np.arange(count) < count * positive).astype(np.int64)
    pixels = draw.integers(0, 200, (2 * count, 124, 124, 3), np.uint8)
    pixels[::2, ..., 0] += (40 * label)[:, None, None].astype(np.uint8)
    return LabelledImages(pixels, np.arange(0, 2 * count, 2), label)


@pytest.fixture(scope="module")
def parts() -> dict[str, LabelledImages]:
    return {"train": pictures(60, 0), "val": pictures(30, 1)}


def network(seed: int = 0) -> Classified:
    torch.manual_seed(seed)
    return Classified(Tiny(TinySettings()), 2)


def run(parts, folder: Path, recipe: ImageRecipe = RECIPE, seed: int = 0):
    model = network()
    return model, trained(model, parts, Job(recipe, seed, "key", folder / "history.jsonl", folder / "state"))


def trained(model, parts, job):
    new = list(model.head_parameters())
    return train(ImageTraining(model, new, parts, TASKS["ah"], job.config, job.seed), job)


# what is drawn --------------------------------------------------------------------------------------
def test_negatives_are_as_many_as_positives_and_drawn_anew_each_epoch():
    label = np.array([1] * 7 + [0] * 93)
    draws = [balanced(label, np.random.default_rng(epoch)) for epoch in range(40)]
    for drawn in draws:
        assert sorted(drawn[label[drawn] == 1]) == list(range(7))
        assert (label[drawn] == 0).sum() == len(set(drawn[label[drawn] == 0])) == 7
    seen = {int(item) for drawn in draws for item in drawn if label[item] == 0}
    assert len(seen) > 80  # 40 epochs of 7 of 93: 95 % of them are expected to be seen
    assert len({tuple(sorted(drawn)) for drawn in draws}) == 40
    assert np.array_equal(draws[3], balanced(label, np.random.default_rng(3)))
    assert label[draws[0]].tolist() != sorted(label[draws[0]])  # in no order


def test_few_negatives_are_all_taken():
    label = np.array([0, 0, 1, 1, 1, 1])
    assert sorted(balanced(label, np.random.default_rng(0))) == [0, 1, 2, 3, 4, 5]


def test_emotions_are_all_seen_once_an_epoch():
    drawn = shuffled(np.zeros(50, np.int64), np.random.default_rng(0))
    assert sorted(drawn) == list(range(50)) != list(drawn)


@pytest.mark.parametrize(("count", "size"), [(2, 8), (3, 2), (17, 16), (33, 16), (64, 16), (5, 5)])
def test_no_pass_is_of_a_single_picture(count, size):
    parts = portions(np.arange(count), size)
    assert np.concatenate(parts).tolist() == list(range(count))
    assert min(map(len, parts)) >= 2
    assert max(map(len, parts)) <= max(size, 3)


def test_the_network_sees_other_crops_each_epoch_and_only_its_own_rows(parts, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(module, "network_input", lambda *batch: given.append(batch) or network_input(*batch))
    run(parts, tmp_path, RECIPE.model_copy(update={"epochs": 2}))
    faces = torch.cat([batch[0] for batch in given])
    assert len(faces) == 2 * 24  # 12 positives and as many negatives, twice
    own = {parts["train"].pixels[row].tobytes() for row in parts["train"].rows}
    assert {face.numpy().tobytes() for face in faces} <= own
    tops = torch.cat([batch[1] for batch in given])
    assert tops[:24].tolist() != tops[24:].tolist()
    assert max(len(batch[0]) for batch in given) <= RECIPE.at_once


# the loop -------------------------------------------------------------------------------------------
def test_it_learns_and_says_so(parts, tmp_path):
    model, progress = run(parts, tmp_path, RECIPE.model_copy(update={"epochs": 8}))
    lines = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert lines == progress.history
    assert [line["epoch"] for line in lines] == list(range(1, 9))
    assert set(lines[0]) == {
        "epoch", "train_loss", "val_loss", "val_AP", "val_AP_paper", "val_AVGF1", "lr", "pictures", "seconds",
        "data_wait_s",
    }  # fmt: skip
    assert lines[0]["pictures"] == 24
    assert 0 < lines[0]["data_wait_s"] < lines[0]["seconds"]
    assert lines[-1]["train_loss"] < lines[0]["train_loss"]
    assert progress.best_score > 0.9  # a fifth are positive
    scores = [line["val_AP"] for line in lines]
    assert progress.best_epoch == 1 + scores.index(max(scores))
    again = frame_scores(logits_of(model, parts["val"], RECIPE), parts["val"].label)
    assert again["val_AP"] == pytest.approx(max(scores))


def test_two_runs_with_one_seed_are_bit_identical(parts, tmp_path):
    first, second, other = (run(parts, tmp_path / name, seed=seed)[0] for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert all(map(torch.equal, first.state_dict().values(), second.state_dict().values()))
    assert not all(map(torch.equal, first.state_dict().values(), other.state_dict().values()))


CHANGES = {
    "sgd": {},
    "adamw": {"optimiser": "adamw"},
    "cosine": {"schedule": "cosine", "clip": 0.05, "decay_vectors": False, "weight_decay": 0.1},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_a_killed_job_goes_on_bit_by_bit(parts, tmp_path, changes):
    recipe = RECIPE.model_copy(update={"lr": 0.01, **changes})
    whole, progress = run(parts, tmp_path / "whole", recipe)
    with killed_after(2):
        run(parts, tmp_path / "killed", recipe)
    resumed, went_on = run(parts, tmp_path / "killed", recipe)
    assert all(map(torch.equal, whole.state_dict().values(), resumed.state_dict().values()))
    timed = {"seconds", "data_wait_s"}
    assert [{k: v for k, v in line.items() if k not in timed} for line in progress.history] == [
        {k: v for k, v in line.items() if k not in timed} for line in went_on.history
    ]


def test_a_state_of_something_else_is_not_resumed(parts, tmp_path):
    run(parts, tmp_path)
    model = network()
    progress = trained(model, parts, Job(RECIPE, 0, "another key", tmp_path / "history.jsonl", tmp_path / "state"))
    assert [record["epoch"] for record in progress.history] == [1, 2, 3, 4]
    assert len((tmp_path / "history.jsonl").read_text().splitlines()) == 4


def test_a_step_in_passes_is_a_step_at_once(parts, tmp_path):
    """Without batch statistics and dropout, gradients of passes add up to those of the whole batch."""
    models = [network(), network()]
    for model, at_once in zip(models, (16, 4), strict=True):
        model.backbone.norm = torch.nn.Identity()
        model.head[0].p = 0.0
        recipe = RECIPE.model_copy(update={"at_once": at_once, "epochs": 1})
        job = Job(recipe, 0, "key", tmp_path / f"{at_once}.jsonl", tmp_path / f"{at_once}.state")
        trained(model, parts, job)
    for one, other in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_a_steps_gradient_is_no_longer_than_clip(parts, tmp_path):
    """The gradient of the whole step, however many passes it is made of."""
    moved, before = {}, network().state_dict()
    for clip in (0.0, 1e-3, 1e9):
        model = network()
        changes = {"batch": 24, "clip": clip, "lr": 1.0, "weight_decay": 0.0, "epochs": 1, "new_layers": 1}
        files = [tmp_path / f"{clip}.{kind}" for kind in ("history", "state")]
        trained(model, parts, Job(RECIPE.model_copy(update=changes), 0, "key", *files))
        moved[clip] = torch.cat([(p - before[name]).flatten() for name, p in model.named_parameters()]).detach()
    assert moved[0.0].norm() > 0.01
    assert torch.equal(moved[0.0], moved[1e9])
    # one step of Nesterov's momentum is (1 + .9) times rate times gradient
    assert moved[1e-3].norm() == pytest.approx(1.9e-3, rel=1e-3)
    assert torch.allclose(moved[1e-3] / moved[1e-3].norm(), moved[0.0] / moved[0.0].norm(), atol=1e-3)


def test_bf16_trains_too(parts, tmp_path):
    _, progress = run(parts, tmp_path, RECIPE.model_copy(update={"precision": "bf16"}))
    assert math.isfinite(progress.history[-1]["train_loss"])


# rates ----------------------------------------------------------------------------------------------
def test_the_papers_optimiser_with_ten_times_the_rate_for_new_layers():
    model = network()
    recipe = ImageRecipe()
    optimiser = make_optimiser(model, list(model.head_parameters()), recipe)
    old, new = optimiser.param_groups
    assert (old["momentum"], old["nesterov"], old["weight_decay"], old["lr"]) == (0.9, True, 1e-4, 1e-3)
    assert (old["factor"], new["factor"]) == (1, 10)
    assert {id(p) for p in new["params"]} == {id(p) for p in model.head.parameters()}
    assert sum(p.numel() for group in (old, new) for p in group["params"]) == sum(p.numel() for p in model.parameters())
    assert (recipe.epochs, recipe.batch, recipe.at_once) == (60, 1424, 356)


def test_rates_fall_in_steps_or_on_half_a_cosine(parts, tmp_path):
    assert learning_rate(ImageRecipe(), 50) == 1e-3
    assert learning_rate(ImageRecipe(), 51) == pytest.approx(9e-4)
    cosine = ImageRecipe(optimiser="adamw", epochs=60)
    assert learning_rate(cosine, 31) == pytest.approx(5e-4, rel=1e-3)
    _, progress = run(parts, tmp_path, RECIPE.model_copy(update={"optimiser": "adamw"}))
    assert [line["lr"] for line in progress.history] == [learning_rate(cosine.model_copy(
        update={"epochs": 4, "lr": 0.05}), epoch) for epoch in (1, 2, 3, 4)]  # fmt: skip


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_the_cosine_ends_at_zero_with_either_optimiser(optimiser):
    recipe = ImageRecipe(optimiser=optimiser, schedule="cosine", epochs=100, lr=1e-3)
    rates = [learning_rate(recipe, epoch) for epoch in (1, 26, 51, 76, 101)]
    assert rates == pytest.approx([1e-3 * (1 + math.cos(math.pi * share)) / 2 for share in (0, 0.25, 0.5, 0.75, 1)])
    assert rates[-1] == 0.0


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_vectors_class_token_and_positions_may_have_no_decay(optimiser):
    with torch.device("meta"):
        model = Classified(Apvit(ApvitSettings(size=40)), 6)
    recipe = ImageRecipe(optimiser=optimiser, decay_vectors=False, weight_decay=0.5, new_layers=3)
    made = make_optimiser(model, list(model.head_parameters()), recipe)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    group_of = {names[id(parameter)]: group for group in made.param_groups for parameter in group["params"]}
    assert group_of.keys() == set(names.values())
    apart = {f"backbone.vit.{name}" for name in ("cls_token", "cls_pos_embed", "patch_pos_embed")}
    for name, parameter in model.named_parameters():
        decays = parameter.ndim > 1 and name not in apart
        assert group_of[name]["weight_decay"] == (0.5 if decays else 0.0), name
        assert group_of[name]["factor"] == (3 if name.startswith(("backbone.reduction.", "head.")) else 1), name
    whole = make_optimiser(model, [], recipe.model_copy(update={"decay_vectors": True}))
    assert {group["weight_decay"] for group in whole.param_groups} == {0.5}


# scores ---------------------------------------------------------------------------------------------
def test_scores_of_classes_are_sklearns():
    draw = np.random.default_rng(3)
    label = draw.integers(0, 5, 200)  # nobody shows the sixth
    logits = draw.normal(size=(200, 6)).astype(np.float32)
    chance = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    found = class_scores(logits, label)
    assert found["val_F1"] == pytest.approx(f1_score(label, logits.argmax(1), average="macro", labels=range(5)))
    assert found["val_loss"] == pytest.approx(log_loss(label, chance, labels=range(6)), rel=1e-5)
    assert found["val_accuracy"] == (logits.argmax(1) == label).mean()


def test_loss_of_frames_is_the_cross_entropy():
    draw = np.random.default_rng(4)
    logits, label = draw.normal(size=(50, 2)).astype(np.float32), draw.integers(0, 2, 50)
    wanted = torch.nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(label))
    assert frame_scores(logits, label)["val_loss"] == pytest.approx(float(wanted), rel=1e-5)


# what is told ---------------------------------------------------------------------------------------
def test_val_without_positives_is_told(parts, tmp_path):
    with pytest.raises(WaverError, match="AP is undefined on the val split"):
        run({**parts, "val": pictures(10, 2, positive=0)}, tmp_path)


def test_nothing_to_learn_from_is_told(parts, tmp_path):
    with pytest.raises(WaverError, match=r"backbone\.ah has 0 pictures to learn from"):
        run({**parts, "train": pictures(10, 2, positive=0)}, tmp_path)


def test_a_diverged_training_is_told(parts, tmp_path):
    with pytest.raises(WaverError, match=r"lower backbone\.ah\.lr"):
        run(parts, tmp_path, RECIPE.model_copy(update={"lr": 1e30}))
