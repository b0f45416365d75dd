"""Training and cross-validation of video-level models, on features and on faces."""

import json
import logging
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import pytest
import torch

from killed import killed_after
from synthetic import write_answers, write_packs
from tiny_clip import write_clip
from waver.assets.manifest import install
from waver.config.videos import VideosConfig
from waver.datasets.answers import read_answers
from waver.datasets.folds import folds_of
from waver.errors import ExcludedItem, WaverError
from waver.io.shard_job import run_shard
from waver.io.tables import PACK_INDEX, PREDICTIONS, read_arrow, read_metadata, read_table, read_tables
from waver.models.base import VideoModel
from waver.models.video.emoclip import EmoClip, EmoClipSettings
from waver.training.lr_schedule import cosine_after_warm_up
from waver.training.videos import fit as videos_module
from waver.training.videos.checkpoint import build_video_model, load_video_checkpoint
from waver.training.videos.data import FaceMaterial, FeatureMaterial
from waver.training.videos.fit import train_videos
from waver.training.videos.training import make_optimiser, smoothed, video_logits

pytestmark = pytest.mark.slow

RECORD = {"model_set": "embedded", "code": "c0de", "config": {}}
SMALL = {
    "discrepancy": {"size": 8, "heads": 2, "feedforward": 8, "hidden": 8, "layers": 1, "window_steps": 4},
    "focalnet_tiny": {"width": 4, "depths": (1,), "frames": 2},
}
RECIPE = {"optimiser": "adamw", "lr": 0.01, "batch": 5, "epochs": 2, "warm_up": 1, "label_smoothing": 0}
FOLDS = 2
PEOPLE = {"train": 4, "val": 2, "test": 1}
FILES = {
    "model": "model.pt",
    "history": "history.jsonl",
    "predictions": "predictions.parquet",
    "folds": "folds.parquet",
    "folds_history": "folds.jsonl",
}


@dataclass(frozen=True)
class Place:
    """Packs and face stores of the same people; half of the videos of everybody show A/H."""

    folder: Path
    packs: list[Path]
    faces: list[Path]
    answers: list[Path]

    def rows(self):
        return read_tables(self.packs, PACK_INDEX)


def label_of(row):
    return int(row["question"] % 2)


def write_faces(folder, rows, without=()):
    """Stores of 12 frames, brighter where there is A/H; of some videos no face was found."""

    def compute(row, writer):
        if row["video"] in without:
            raise ExcludedItem("no face was found in any frame", "see whether the person is in the picture")
        draw = np.random.default_rng(int(row["participant"]) * 10 + row["question"])
        image = draw.integers(0, 100, (12, 32, 32, 3)) + 100 * label_of(row)
        writer.images("image", 12, 32, 95)[:] = image.astype(np.uint8)
        writer.put("valid", np.arange(12) > 2)
        return 12, ""

    given = [{**row, "checksum": row["video"]} for row in rows]
    run_shard(given, folder / "stores", folder / "000.parquet", {"without": list(without)}, compute)
    return [folder / "000.parquet"]


def make_place(folder, without=(), **changes):
    packs, _ = write_packs(folder / "align", PEOPLE, questions=4, frames=48)
    rows = read_tables(packs, PACK_INDEX)
    label = {row["video"]: label_of(row) for row in rows} | changes.pop("label", {})
    answers = write_answers(folder / "000.answers.parquet", packs, label=label, **changes)
    return Place(folder, packs, write_faces(folder / "faces", rows, without), [answers])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return make_place(tmp_path_factory.mktemp("place"))


def run(place, folder, name="discrepancy", modalities="VATQ", seed=0, folds=FOLDS, weights=None, **changes):
    outputs = {key: folder / file for key, file in FILES.items()}
    indexes = place.packs if name == "discrepancy" else place.faces
    options = SMALL.get(name, {}) | changes.pop("options", {})
    config = VideosConfig(recipes={name: RECIPE | changes}, options={name: options}).recipe(name)
    train_videos(
        place.answers, indexes, weights or {}, name, modalities, seed, folds, "random", config, outputs, RECORD
    )
    return outputs


@pytest.fixture(scope="module")
def undisturbed(place, tmp_path_factory):
    return run(place, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def of_faces(place, tmp_path_factory):
    return run(place, tmp_path_factory.mktemp("faces"), "focalnet_tiny", "V", folds=2, epochs=1)


@pytest.mark.parametrize("made", ["undisturbed", "of_faces"])
def test_everybody_is_predicted_once_by_a_model_that_never_saw_them(place, made, request):
    files, folds = request.getfixturevalue(made), FOLDS if made == "undisturbed" else 2
    table = read_arrow(files["predictions"], PREDICTIONS)
    assert sorted(table["video"].to_pylist()) == sorted(r["video"] for r in place.rows() if r["split"] != "train")
    assert table["frame"].null_count == table["fold"].null_count == len(table)
    table = read_arrow(files["folds"], PREDICTIONS)
    known = [row for row in place.rows() if row["split"] != "test"]
    assert sorted(table["video"].to_pylist()) == sorted(row["video"] for row in known)
    fold_of = folds_of([row["participant"] for row in known], folds)
    assert table["fold"].to_pylist() == [fold_of[person] for person in table["participant"].to_pylist()]
    margin, chance = table["margin"].to_numpy(), table["probability"].to_numpy()
    np.testing.assert_allclose(chance, 1 / (1 + np.exp(-margin)))
    assert len(set(margin)) > len(margin) / 2
    name, modalities = ("discrepancy", "VATQ") if made == "undisturbed" else ("focalnet_tiny", "V")
    about = {"method": name, "modalities": modalities, "level": "video", "seed": 0, **RECORD}
    assert read_metadata(files["predictions"]) == {**about, "protocol": "standard"}
    assert read_metadata(files["folds"]) == {**about, "protocol": "cv", "made_from": ANY}
    assert sorted(path.name for path in files["model"].parent.iterdir()) == sorted(FILES.values())


def test_histories_hold_every_epoch(undisturbed):
    lines = [json.loads(line) for line in undisturbed["history"].read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    keys = {"train_loss", "val_loss", "val_AP", "val_AP_paper", "val_AVGF1", "lr", "seconds", "data_wait_s"}
    assert keys <= set(lines[0])
    lines = [json.loads(line) for line in undisturbed["folds_history"].read_text().splitlines()]
    assert [(line["fold"], line["epoch"]) for line in lines] == [(f, e) for f in range(2) for e in (1, 2)]


def test_the_model_file_gives_the_predictions(place, undisturbed):
    checkpoint = load_video_checkpoint(undisturbed["model"])
    assert checkpoint.modalities == "VATQ"
    assert list(checkpoint.normalisation.sizes) == ["visual", "audio", "text", "question"]
    model = build_video_model(checkpoint, {})
    assert not model.training
    assert checkpoint.record["seed"] == 0
    lines = [json.loads(line) for line in undisturbed["history"].read_text().splitlines()]
    assert checkpoint.record["val_AP"] == max(line["val_AP"] for line in lines)
    answers = [answer for answer in read_answers(place.answers) if answer.split != "train"]
    material = FeatureMaterial(place.packs, "VATQ", VideosConfig())
    logits = video_logits(model, material.examples(answers, checkpoint.normalisation), 4)
    found = dict(zip([answer.video for answer in answers], logits[:, 1] - logits[:, 0], strict=True))
    want = {row["video"]: row["margin"] for row in read_table(undisturbed["predictions"], PREDICTIONS)}
    assert found == pytest.approx(want, abs=1e-5)


def test_a_file_that_is_no_model_is_told(tmp_path):
    (tmp_path / "model.pt").write_bytes(b"nothing")
    with pytest.raises(WaverError, match="not a video-level model of this version"):
        load_video_checkpoint(tmp_path / "model.pt")


def test_the_question_beside_faces_is_learnt_and_kept(place, tmp_path):
    found = run(place, tmp_path, "focalnet_tiny", "VQ", folds=0, epochs=6, lr=0.3)
    checkpoint = load_video_checkpoint(found["model"])
    assert (checkpoint.modalities, checkpoint.normalisation.sizes) == ("VQ", {"question": 8})
    model = build_video_model(checkpoint, {})
    learned = model.context.weight[1] - model.context.weight[0]
    # here questions 1 and 3 are those with A/H
    assert learned[[0, 2]].min() > learned[[1, 3]].max()
    answers = [answer for answer in read_answers(place.answers) if answer.split == "test"]
    material = FaceMaterial(place.faces, "VQ", 2, VideosConfig())
    logits = video_logits(model, material.examples(answers, checkpoint.normalisation), 2)
    rows = {row["video"]: row["margin"] for row in read_table(found["predictions"], PREDICTIONS)}
    assert np.allclose([rows[a.video] for a in answers], logits[:, 1] - logits[:, 0], atol=1e-5)
    assert read_metadata(found["predictions"])["modalities"] == "VQ"


@pytest.mark.parametrize(
    ("name", "modalities", "folds", "dies"), [("discrepancy", "VATQ", 2, 5), ("focalnet_tiny", "V", 2, 2)]
)
def test_a_killed_job_ends_as_an_undisturbed_one(
    place, undisturbed, of_faces, tmp_path, caplog, name, modalities, folds, dies
):
    """It dies in a fold, after an epoch was saved; what is finished is not done again."""
    changes = {} if name == "discrepancy" else {"epochs": 1}
    with killed_after(dies):
        run(place, tmp_path, name, modalities, folds=folds, **changes)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert "standard.pt.part" in left
    assert "model.pt" not in left
    caplog.clear()
    with caplog.at_level(logging.INFO):
        found = run(place, tmp_path, name, modalities, folds=folds, **changes)
    done = sum("of at most" in message for message in caplog.messages)
    assert dies + done == (folds + 1) * (2 if name == "discrepancy" else 1)
    assert "going on after epoch" in caplog.text
    want = undisturbed if name == "discrepancy" else of_faces
    for key in ("predictions", "folds"):
        assert found[key].read_bytes() == want[key].read_bytes()
    states = [load_video_checkpoint(files["model"]).state for files in (found, want)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[1])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES.values())


def test_a_copy_that_waited_keeps_what_the_other_made(place, undisturbed, tmp_path, monkeypatch):
    files = {key: Path(shutil.copy2(path, tmp_path)) for key, path in undisturbed.items()}
    made = {path: path.stat().st_mtime_ns for path in files.values()}
    with monkeypatch.context() as patch:
        patch.setattr(videos_module, "fit", None)
        run(place, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in files.values()} == made
    run(place, tmp_path, folds=0)
    assert len(read_arrow(files["folds"], PREDICTIONS)) == 0


def test_a_fold_that_was_killed_does_not_go_on_with_other_people(place, tmp_path):
    """Its weights have learned from people whom the new folds hold out."""
    with killed_after(3):
        run(place, tmp_path / "killed", folds=2)
    again, clean = (run(place, tmp_path / name, folds=3) for name in ("killed", "clean"))
    assert again["folds"].read_bytes() == clean["folds"].read_bytes()


def test_a_part_of_another_recipe_is_not_taken_up(place, undisturbed, tmp_path):
    with killed_after(3):
        run(place, tmp_path, lr=0.02)
    found = run(place, tmp_path)
    assert found["folds"].read_bytes() == undisturbed["folds"].read_bytes()


def test_seeds_differ_and_repeat(place, undisturbed, tmp_path):
    other = run(place, tmp_path / "1", seed=1, folds=0)
    again = run(place, tmp_path / "0", folds=0)
    assert again["predictions"].read_bytes() == undisturbed["predictions"].read_bytes()
    assert other["predictions"].read_bytes() != undisturbed["predictions"].read_bytes()
    assert len(read_arrow(again["folds"], PREDICTIONS)) == 0
    assert again["folds_history"].read_text() == ""


def test_labels_of_test_and_of_the_held_out_teach_nothing(place, undisturbed, tmp_path):
    known = [row for row in place.rows() if row["split"] != "test"]
    fold_of = folds_of([row["participant"] for row in known], FOLDS)
    turned = {
        row["video"]: 1 - label_of(row)
        for row in place.rows()
        if row["split"] == "test" or fold_of[row["participant"]] == 1
    }
    other = make_place(tmp_path / "place", label=turned)
    found = run(other, tmp_path / "run")
    rows = [read_table(files["folds"], PREDICTIONS) for files in (undisturbed, found)]
    want, have = ({row["video"]: row["margin"] for row in some if row["fold"] == 1} for some in rows)
    assert want == have
    want, have = ({row["video"]: row["margin"] for row in some if row["fold"] == 0} for some in rows)
    assert want != have
    only_test = make_place(tmp_path / "test", label={v: y for v, y in turned.items() if v[:5] not in fold_of})
    found = run(only_test, tmp_path / "again", folds=0)
    assert found["predictions"].read_bytes() == undisturbed["predictions"].read_bytes()


def test_a_video_without_faces_is_named_and_the_rest_goes_on(place, tmp_path, caplog):
    videos = sorted(row["video"] for row in place.rows() if row["split"] == "train")[:2]
    tested = next(row["video"] for row in place.rows() if row["split"] == "test")
    other = make_place(tmp_path / "place", without=(*videos, tested))
    with caplog.at_level(logging.WARNING):
        found = run(other, tmp_path / "run", "focalnet_tiny", "V", folds=0, epochs=1)
    assert f"{videos[0]}, {videos[1]}: excluded (no face was found in any frame)" in caplog.text
    predicted = read_arrow(found["predictions"], PREDICTIONS)["video"].to_pylist()
    assert tested not in predicted
    assert len(predicted) == sum(row["split"] != "train" for row in place.rows()) - 1


def given(folder, role, source):
    """The installed record of a model that the config gives by its path."""
    install(f"path.{role}", folder / role, {role: str(source)})
    return {role: folder / role / "asset.json"}


def test_emoclip_learns_with_both_towers_and_is_applied_as_it_is(place, tmp_path):
    clip = given(tmp_path, "clip", write_clip(tmp_path / "tiny"))
    small = {"frames": 2, "depth": 1, "heads": 2}
    run_it = partial(run, place, name="emoclip", modalities="V", folds=0)
    tuned = run_it(tmp_path / "tuned", weights=clip, epochs=1, options=small)
    state = load_video_checkpoint(tuned["model"]).state
    before = EmoClip(EmoClipSettings(**small), tmp_path / "tiny").state_dict()
    for tower in ("clip.vision_model", "clip.text_model"):
        assert any(not torch.equal(state[key], before[key]) for key in state if key.startswith(tower))
    torch.save(state, tmp_path / "emotions.pt")
    with pytest.raises(WaverError, match=r"models\.paths\.emoclip"):
        run_it(tmp_path / "none", weights=clip, options=small | {"zero_shot": True})
    begun = clip | given(tmp_path, "emoclip", tmp_path / "emotions.pt")
    applied = run_it(tmp_path / "applied", weights=begun, options=small | {"zero_shot": True})
    assert applied["history"].read_text() == ""
    assert load_video_checkpoint(applied["model"]).state == {}
    want, have = (read_table(files["predictions"], PREDICTIONS) for files in (tuned, applied))
    assert [row["margin"] for row in have] == pytest.approx([row["margin"] for row in want], abs=1e-5)


def test_a_network_begins_with_the_weights_of_a_file(place, of_faces, tmp_path):
    state = load_video_checkpoint(of_faces["model"]).state
    classes = {"head.weight": torch.zeros(400, 4), "head.bias": torch.zeros(400)}
    torch.save({"model": state | classes}, tmp_path / "kinetics.pt")
    weights = given(tmp_path, "focalnet_tiny", tmp_path / "kinetics.pt")
    still = {"lr": 1e-30, "epochs": 1, "weight_decay": 0}
    found = run(place, tmp_path / "run", "focalnet_tiny", "V", folds=0, weights=weights, **still)
    learned = load_video_checkpoint(found["model"]).state
    assert learned["head.weight"].shape == (2, 4)
    assert all(torch.allclose(learned[key], state[key]) for key in state if not key.startswith("head."))


def test_clips_show_what_the_stores_hold(place):
    """Brightness of the faces tells the label, whatever the crop."""
    answers = read_answers(place.answers)
    for augment in (False, True):
        config = VideosConfig(augment=augment)
        examples = FaceMaterial(place.faces, "V", 4, config).examples(answers, None)
        draws = [np.random.default_rng(n) for n in range(8)]
        (clips,) = examples.batch(range(8), draws)
        assert clips.shape == (8, 4, 3, 224, 224)
        assert clips.dtype == torch.float32
        assert 0 <= clips.min() <= clips.max() <= 1
        (still,) = examples.batch(range(8), None)
        label = np.array([answer.label for answer in answers[:8]])
        brightness = still.mean((1, 2, 3, 4)).numpy()
        assert brightness[label == 1].min() > brightness[label == 0].max()
        assert torch.equal(still, examples.batch(range(8), None)[0])


def test_rates_rise_and_fall():
    config = VideosConfig(lr=1.0, warm_up=2, epochs=10)
    assert [cosine_after_warm_up(config, epoch) for epoch in (0, 1, 2)] == [0, 0.5, 1]
    assert cosine_after_warm_up(config, 6) == pytest.approx(0.5)
    assert cosine_after_warm_up(config, 10) == pytest.approx(0, abs=1e-12)
    assert cosine_after_warm_up(VideosConfig(lr=1.0, warm_up=0), 0) == 1


def test_vectors_do_not_decay_and_the_body_may_learn_slower():
    class Two(VideoModel):
        def __init__(self):
            super().__init__()
            self.body, self.head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
            self.fixed = torch.nn.Parameter(torch.zeros(1, 1), requires_grad=False)

        def body_parameters(self):
            return self.body.parameters()

    for optimiser in ("sgd", "adamw"):
        found = make_optimiser(Two(), VideosConfig(optimiser=optimiser, weight_decay=0.5, body_rate=0.1))
        actual = [(group["factor"], group["weight_decay"], len(group["params"])) for group in found.param_groups]
        assert sorted(actual) == [(0.1, 0.0, 1), (0.1, 0.5, 1), (1.0, 0.0, 1), (1.0, 0.5, 1)]


def test_parts_of_a_step_add_up_to_it(place, tmp_path):
    """As many videos at once as fit: the same step, but for rounding."""
    whole = run(place, tmp_path / "whole", "focalnet_tiny", "V", folds=0, epochs=1)
    parts = run(place, tmp_path / "parts", "focalnet_tiny", "V", folds=0, epochs=1, at_once=2)
    states = [load_video_checkpoint(files["model"]).state for files in (whole, parts)]
    assert all(torch.allclose(states[0][key], states[1][key], atol=1e-4) for key in states[0])


def test_labels_are_smoothed_in_the_cross_entropy():
    class One(VideoModel):
        def forward(self, logits):
            return logits

    logits, label = torch.tensor([[0.3, 1.0], [2.0, -1.0]]), torch.tensor([1.0, 0.0])
    want = torch.nn.functional.cross_entropy(logits, label.long(), label_smoothing=0.1)
    assert torch.allclose(One().loss((logits,), smoothed(label, 0.1)), want)


def test_an_empty_list_of_videos_has_no_logits(place):
    class Nobody:
        answers = ()

    assert video_logits(torch.nn.Linear(1, 2), Nobody(), 4).shape == (0, 2)


@pytest.mark.parametrize(
    ("name", "modalities", "changes", "told"),
    [
        ("focalnet_tiny", "VAT", {}, "looks at faces alone"),
        ("discrepancy", "Q", {}, "need V, A, T or C"),
        ("discrepancy", "T", {"lr": 1e30, "clip": 1e30, "warm_up": 0}, "lower videos.lr"),
    ],
)
def test_what_cannot_be_done_is_told(place, tmp_path, name, modalities, changes, told):
    with pytest.raises(WaverError, match=told):
        run(place, tmp_path, name, modalities, folds=0, **changes)


def test_one_class_is_not_enough(tmp_path):
    packs, _ = write_packs(tmp_path / "align", {"train": 2, "val": 1, "test": 1}, questions=2, frames=48)
    label = {row["video"]: 0 for row in read_tables(packs, PACK_INDEX)}
    answers = write_answers(tmp_path / "a.parquet", packs, label=label)
    with pytest.raises(WaverError, match="labels of both classes"):
        run(Place(tmp_path, packs, [], [answers]), tmp_path / "run", "discrepancy", "T", folds=0)
