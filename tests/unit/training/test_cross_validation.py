"""Cross-validation of frame-level models: who is predicted was never seen."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import pytest

from changed_stores import rewrite
from killed import killed_after
from recorded import recorded
from synthetic import write_packs
from waver.config.sections import TrainConfig
from waver.datasets.folds import folds_of
from waver.errors import WaverError
from waver.io.tables import (
    PACK_INDEX,
    PARTICIPANTS,
    PREDICTIONS,
    read_arrow,
    read_metadata,
    read_table,
    read_tables,
    write_table,
)
from waver.io.zarr_store import read_store
from waver.training.corpus import read_corpus
from waver.training.frames import fit as fit_module
from waver.training.frames import folds as folds_module
from waver.training.frames.folds import fold_table, train_folds

pytestmark = pytest.mark.slow

FOLDS = 3
SMALL = {"lfan": {"channels": {"text": [8, 8], "question": [8, 8]}}}
CONFIG = TrainConfig(window=60, hop=30, batch=4, epochs=2, lr=0.01, folds=FOLDS, options=SMALL)
RECORD = {"model_set": "embedded", "code": "c0de", "config": {"lr": 0.01}}


@dataclass(frozen=True)
class Place:
    """Packs of six people of train and val and one of test."""

    indexes: list[Path]
    packs: Path
    participants: Path

    def rows(self):
        return read_tables(self.indexes, PACK_INDEX)

    def folds(self):
        return folds_of([row["participant"] for row in self.rows() if row["split"] != "test"], FOLDS)

    def turn_round(self, chosen):
        """Turn the labels of some participants or videos round."""
        for index in self.indexes:
            pack = self.packs / f"{index.stem}.zarr"
            label = read_store(pack, "label")["label"]
            for row in read_table(index, PACK_INDEX):
                if {row["participant"], row["video"]} & chosen:
                    part = slice(row["offset"], row["offset"] + row["frames"])
                    label[part] = 1 - label[part]
            rewrite(pack, label=label)


def make_place(folder):
    indexes, packs = write_packs(folder, {"train": 4, "val": 2, "test": 1}, questions=2, frames=90)
    people = {row["participant"]: row["split"] for row in read_tables(indexes, PACK_INDEX)}
    unknown = dict.fromkeys(PARTICIPANTS.names) | {"consent_publication": False, "consent_challenge": False}
    rows = [{**unknown, "participant": person, "split": split} for person, split in people.items()]
    write_table(folder / "participants.parquet", rows, PARTICIPANTS)
    return Place(indexes, packs, folder / "participants.parquet")


def outputs(folder):
    folder.mkdir(parents=True, exist_ok=True)
    return {"predictions": folder / "folds.parquet", "history": folder / "folds.jsonl"}


def run(place, folder, modalities="TQ", config=CONFIG, seed=0):
    files = outputs(folder)
    train_folds(place.indexes, place.packs, place.participants, "lfan", modalities, seed, config, files, RECORD)
    return files


def margins(files):
    """Margins of each participant."""
    found = {}
    for row in read_table(files["predictions"], PREDICTIONS):
        found.setdefault(row["participant"], []).append(row["margin"])
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return make_place(tmp_path_factory.mktemp("packs"))


@pytest.fixture(scope="module")
def undisturbed(place, tmp_path_factory):
    return run(place, tmp_path_factory.mktemp("run"))


def test_everybody_of_train_and_val_is_predicted_once(place, undisturbed):
    fold_of = place.folds()
    assert fold_table(place.participants, FOLDS, "random") == fold_of
    table = read_arrow(undisturbed["predictions"], PREDICTIONS)
    found = sorted(zip(table["video"].to_pylist(), table["frame"].to_pylist(), strict=True))
    expected = [row for row in place.rows() if row["split"] != "test"]
    assert found == sorted((row["video"], frame) for row in expected for frame in range(row["frames"]))
    assert table["fold"].to_pylist() == [fold_of[person] for person in table["participant"].to_pylist()]
    assert set(table["split"].to_pylist()) == {"train", "val"}
    margin, chance = table["margin"].to_numpy(), table["probability"].to_numpy()
    assert np.allclose(chance, 1 / (1 + np.exp(-margin)))
    assert chance.std() > 0.001
    assert read_metadata(undisturbed["predictions"]) == {
        "method": "lfan", "modalities": "TQ", "level": "frame", "protocol": "cv", "seed": 0, **RECORD,
        "made_from": ANY,
    }  # fmt: skip
    lines = [json.loads(line) for line in undisturbed["history"].read_text().splitlines()]
    assert [(line["fold"], line["epoch"]) for line in lines] == [(fold, epoch) for fold in range(3) for epoch in (1, 2)]
    assert sorted(path.name for path in undisturbed["history"].parent.iterdir()) == ["folds.jsonl", "folds.parquet"]


def test_the_held_out_teach_nothing(undisturbed, tmp_path):
    """Turning a fold's labels round changes only the models of the others."""
    other = make_place(tmp_path / "packs")
    held_out = {person for person, fold in other.folds().items() if fold == 1}
    other.turn_round(held_out)
    before, after = margins(undisturbed), margins(run(other, tmp_path / "run"))
    assert before.keys() == after.keys()
    assert {person for person in before if before[person] != after[person]} == set(before) - held_out


def test_the_test_split_is_never_read(undisturbed, tmp_path, monkeypatch):
    calls = []

    def spy(indexes, packs, modalities, splits, **options):
        calls.append(tuple(splits))
        return read_corpus(indexes, packs, modalities, splits, **options)

    monkeypatch.setattr(fit_module, "read_corpus", spy)
    other = make_place(tmp_path / "packs")
    tested = {row["participant"] for row in other.rows() if row["split"] == "test"}
    other.turn_round(tested)
    files = run(other, tmp_path / "run")
    assert calls == [("train", "val")]
    assert files["predictions"].read_bytes() == undisturbed["predictions"].read_bytes()


def test_an_unlabelled_video_is_predicted_and_not_learnt_from(undisturbed, tmp_path):
    other = make_place(tmp_path / "packs")
    for index in other.indexes:
        rows = read_table(index, PACK_INDEX)
        for row in rows:
            row["labelled"] = row["labelled"] and row["video"] != "82001_Q1"
        write_table(index, rows, PACK_INDEX)
    hidden = run(other, tmp_path / "a")
    videos = read_arrow(hidden["predictions"], PREDICTIONS)["video"].to_pylist()
    assert videos.count("82001_Q1") == next(row["frames"] for row in other.rows() if row["video"] == "82001_Q1")
    assert hidden["predictions"].read_bytes() != undisturbed["predictions"].read_bytes()
    other.turn_round({"82001_Q1"})
    assert run(other, tmp_path / "b")["predictions"].read_bytes() == hidden["predictions"].read_bytes()


def test_a_killed_job_goes_on_in_its_fold_and_epoch(place, undisturbed, tmp_path, caplog):
    with killed_after(3):  # the first epoch of the second fold
        run(place, tmp_path)
    assert (tmp_path / "fold0.parquet.part").exists()
    assert not (tmp_path / "folds.parquet").exists()
    with caplog.at_level(logging.INFO):
        files = run(place, tmp_path)
    assert "going on after epoch 1" in caplog.text
    assert "fold 1 of 3" not in caplog.text
    assert "fold 2 of 3" in caplog.text
    assert files["predictions"].read_bytes() == undisturbed["predictions"].read_bytes()
    assert _scores(files["history"]) == _scores(undisturbed["history"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folds.jsonl", "folds.parquet"]


def _scores(history):
    records = [json.loads(line) for line in history.read_text().splitlines()]
    return [{k: v for k, v in r.items() if k not in ("seconds", "data_wait_s")} for r in records]


def test_a_copy_that_waited_keeps_what_the_other_made(place, tmp_path, monkeypatch):
    files = run(place, tmp_path)
    made = {path: path.stat().st_mtime_ns for path in files.values()}
    with monkeypatch.context() as patch:
        patch.setattr(folds_module, "fit", None)
        run(place, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in files.values()} == made
    other = margins(files)
    run(place, tmp_path, config=CONFIG.model_copy(update={"lr": 0.02}))
    assert margins(files) != other


def test_parts_of_another_recipe_are_made_again(place, undisturbed, tmp_path, caplog):
    with killed_after(5):  # in the third fold, where two are done
        run(place, tmp_path, config=CONFIG.model_copy(update={"lr": 0.02}))
    caplog.clear()
    assert (tmp_path / "fold1.parquet.part").exists()
    with caplog.at_level(logging.INFO):
        files = run(place, tmp_path)
    assert "fold 1 of 3" in caplog.text
    assert files["predictions"].read_bytes() == undisturbed["predictions"].read_bytes()


def test_a_variant_decodes_by_durations_of_people_it_may_learn_from(place, undisturbed, tmp_path):
    """Neither durations nor kappa see the held out: turning their labels round changes nothing of theirs."""
    config = CONFIG.model_copy(update={"decoding": "durations"})
    files = outputs(tmp_path / "a")
    arguments = (place.indexes, place.packs, place.participants, "lfan", "TQ", 0, config)
    train_folds(*arguments, files, RECORD | recorded("lfan", "TQ", "lasting").record)
    assert read_metadata(files["predictions"])["method"] == "lfan.lasting"
    assert margins(files) != margins(undisturbed)
    other = make_place(tmp_path / "packs")
    held_out = {person for person, fold in other.folds().items() if fold == 1}
    other.turn_round(held_out)
    again = outputs(tmp_path / "b")
    train_folds(other.indexes, other.packs, other.participants, *arguments[3:], again, RECORD)
    before, after = margins(files), margins(again)
    assert {person for person in before if before[person] == after[person]} == held_out


def test_too_few_people_are_told(place, tmp_path):
    with pytest.raises(WaverError, match=r"6 participants .* lower train\.folds"):
        run(place, tmp_path, config=CONFIG.model_copy(update={"folds": 7}))
