"""``waver export-model``: the folder predicts the run's own bits, names nobody, and is read without a pickle."""

import json
import pickle
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from synthetic import write_answers, write_packs
from waver.assets.entries import manifest
from waver.assets.manifest import Installed
from waver.cli import main
from waver.config.model import load_config
from waver.datasets.questions import bah_questions
from waver.errors import WaverError
from waver.evaluation.control_names import Control
from waver.evaluation.controls import predict_controls
from waver.io.tables import ANSWERS, PACK_INDEX, PARTICIPANTS, PREDICTIONS, SCORES, read_table, read_tables, write_table
from waver.models.duration_hmm import Durations
from waver.predict.bands import Calibration
from waver.predict.linear_control import question_shares
from waver.predict.model_card import licence_chain
from waver.predict.model_folder import CARD, RECORD, WEIGHTS, HandedModel, load_model_folder, write_model_folder
from waver.records import load, method_config
from waver.registry import FUSIONS
from waver.training.corpus import Normalisation, read_corpus
from waver.training.frames.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from waver.training.frames.fit import train_fusion
from waver.training.frames.hmm_decoding import Decoder
from waver.training.frames.predict import predict
from waver.training.frames.variants import model_named, recipe_of
from waver.workflow.flow import Flow
from waver.workflow.run import Run

SMALL = {"channels": {name: [8] for name in ("visual", "audio", "text")}}
VALUES = {
    "run": "tiny",
    "dataset": {"name": "tiny", "source": "demo", "shards": 2},
    "train": {
        "runs": [{"fusion": "lfan", "modalities": "VAT"}], "seeds": [3], "folds": 0, "window": 60, "hop": 30,
        "batch": 4, "epochs": 1, "decision": "prevalence", "options": {"lfan": SMALL},
    },
    "evaluate": {"least_group": 2},
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A working folder with all that a finished run of one small model leaves, as far as an export reads it."""
    folder, config = tmp_path_factory.mktemp("work"), load_config(VALUES)
    paths, model = Flow(Run(config)).run.paths, model_named(config.train, "lfan", "VAT")
    people = {"train": 4, "val": 3, "test": 1}
    indexes, packs = write_packs(folder / "resources/tiny/align", people, questions=2, frames=72)
    for index in indexes:
        first = read_table(index, PACK_INDEX)[0]["video"]
        write_answers(folder / paths.shard_table("answers").format(shard=index.stem), [index], label={first: 0})
    rows = {row["participant"]: row["split"] for row in read_tables(indexes, PACK_INDEX)}
    blank = dict.fromkeys(PARTICIPANTS.names) | {"consent_publication": False, "consent_challenge": True}
    people = [blank | {"participant": who, "split": split} for who, split in rows.items()]
    write_table(folder / paths.table("participants"), people, PARTICIPANTS)
    for record in Flow(Run(config)).features.model_records():
        installed(folder / record)
    files = {name: folder / paths.train(name).format(fusion="lfan", modalities="VAT", seed=3) for name in TRAINED}
    outputs = dict(zip(("model", "history", "predictions"), files.values(), strict=True))
    recipe = recipe_of(config.train, "lfan")
    about = {"model_set": "embedded", "code": "c0de", "config": recipe.recipe, **model.own_record}
    outputs["model"].parent.mkdir(parents=True)
    train_fusion(indexes, packs, "lfan", "VAT", 3, recipe, outputs, about)
    score = dict.fromkeys(SCORES.names) | {"level": "frame", "split": "val", "protocol": "standard", "group": "all"}
    score |= {
        "metric": "AVGF1",
        "value": 0.5,
        "seeds": 1,
        "model_set": "embedded",
        "video_head": False,
        "modalities": "",
    }
    lines = [score | {"method": "lfan", "modalities": "VAT", **model.columns}, score | {"method": "content_free"}]
    write_table(folder / paths.scores, lines, SCORES)
    (folder / "tiny.yaml").write_text(json.dumps(VALUES))
    return folder


TRAINED = ("model.pt", "history.jsonl", "predictions.parquet")


def installed(path):
    asset = manifest()[path.parent.name]
    about = asset.model_dump(include={"role", "set", "title", "licence"})
    path.parent.mkdir(parents=True, exist_ok=True)
    record = Installed(
        name=path.parent.name, folder="", files={file.name: file.sha256 for file in asset.files}, **about
    )
    path.write_text(record.model_dump_json())


def export(*more):
    names = ["--model", "lfan", "--modalities", "VAT", "--out", "out/lfan", "--configfile", "tiny.yaml"]
    return main(["export-model", *names, *more])


@pytest.fixture(scope="module")
def out(place):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert export() == 0
    return place / "out/lfan"


def test_it_predicts_the_bits_of_the_runs_model(place, out):
    indexes = sorted((place / "resources/tiny/align").glob("*.parquet"))
    videos = read_corpus(indexes, place / "resources/tiny/align/packs", "VAT", ["test"])
    own = load_checkpoint(place / "results/tiny/train/lfan/VAT/3/model.pt")
    handed = load_model_folder(out).checkpoint
    assert own.offset == handed.offset != 0
    expected, found = predict(own, videos), predict(handed, videos)
    assert expected.keys() == found.keys()
    assert len(videos) == 2
    assert all(np.array_equal(expected[video], found[video]) for video in expected)


def test_no_file_names_anybody(place, out):
    answers = read_tables(sorted((place / "resources/tiny/ingest/shards").glob("*.parquet")), ANSWERS)
    names = {row["participant"] for row in answers} | {row["video"] for row in answers}
    assert sorted(path.name for path in out.iterdir()) == sorted([WEIGHTS, RECORD, CARD])
    for path in out.iterdir():
        content = path.read_bytes()
        found = [name for name in names if re.search(rb"(?<![0-9A-Za-z.])%b(?![0-9A-Za-z])" % name.encode(), content)]
        assert not found, path
        assert str(place).encode() not in content, path


def test_it_is_read_without_a_pickle(out, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("unpickled")

    for module, name in ((torch, "load"), (pickle, "load"), (pickle, "loads"), (pickle, "Unpickler")):
        monkeypatch.setattr(module, name, refuse)
    assert load_model_folder(out).checkpoint.fusion == "lfan"


def test_its_control_is_that_of_the_tables(place, out, tmp_path):
    indexes = sorted((place / "resources/tiny/align").glob("*.parquet"))
    shards = sorted((place / "resources/tiny/ingest/shards").glob("*.parquet"))
    files = {Control("content_free", level, "standard"): tmp_path / level for level in ("frame", "video")}
    predict_controls(indexes, place / "resources/tiny/align/packs", shards, 0, files, {})
    handed = load_model_folder(out)
    rows = {"frame": read_tables(indexes, PACK_INDEX), "video": read_tables(shards, ANSWERS)}
    for (_, level, _), file in files.items():
        val = [row for row in rows[level] if row["split"] in ("val", "test")]
        expected = [row["margin"] for row in read_table(file, PREDICTIONS)]
        assert np.allclose(handed.controls[level].margin(val, handed.questions), expected, atol=1e-8)
    assert handed.questions == bah_questions()
    assert handed.question_shares == question_shares(rows["video"], 2)
    assert handed.question_shares


def test_the_card_says_what_it_must(out):
    card = (out / CARD).read_text()
    for text in (
        "Not for employment",
        "Content-free control",
        "| publication | 8 |",
        "Apache-2.0",
        "RetinaFace",
        "withheld",
    ):
        assert text in card, text
    assert "{{" not in card
    assert "None" not in card


def test_a_licence_that_nobody_states_is_asked_for():
    about = {"role": "word_encoder", "set": "path", "title": "/m/bert", "licence": "see its origin"}
    given = Installed(name="path.word_encoder", folder="", files={}, **about)
    with pytest.raises(WaverError, match=r"licence of the word_encoder \(bert\) .*--licence word_encoder="):
        licence_chain([given], {})
    assert licence_chain([given], {"word_encoder": "MIT"})[0]["licence"] == "MIT"
    with pytest.raises(WaverError, match="no licence chain"):
        licence_chain([], {})


def test_damage_and_other_folders_are_told_in_a_sentence(out, tmp_path):
    for name in (RECORD, WEIGHTS, CARD):
        (tmp_path / name).write_bytes((out / name).read_bytes())
    weights = bytearray((tmp_path / WEIGHTS).read_bytes())
    weights[-1] ^= 1
    (tmp_path / WEIGHTS).write_bytes(weights)
    with pytest.raises(WaverError, match="holds other bytes than were exported"):
        load_model_folder(tmp_path)
    (tmp_path / RECORD).write_text(json.dumps({"format": 0}))
    with pytest.raises(WaverError, match="another version"):
        load_model_folder(tmp_path)
    with pytest.raises(WaverError, match="no folder of a model"):
        load_model_folder(tmp_path / "nothing")


def test_another_config_is_refused(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    assert export("--config", "train={lr: 0.5}") == 1
    assert "trained with another config" in capsys.readouterr().err
    assert export("--seed", "4") == 1
    assert "is missing; finish the run first" in capsys.readouterr().err


def any_model(fusion, **changes):
    """A fusion with random weights, in all that surrounds it."""
    sizes = {"visual": 5, "audio": 4, "text": 6}
    method, config = load(FUSIONS, fusion), method_config(FUSIONS, fusion, {})
    scale = Normalisation(*({name: np.full(size, k, np.float32) for name, size in sizes.items()} for k in (0.1, 0.7)))
    state = method(sizes, config).state_dict()
    checkpoint = Checkpoint(fusion, "VAT", config.model_dump(), scale, state, window=48, hop=24, **changes)
    band = {"items": 0, "participants": 0, "share": None}
    read = Calibration(1.5, 0.4, 0.1, 0.8, dict.fromkeys(("unlikely", "unclear", "likely"), band))
    rule = {"rule": "sliding_mean", "window_frames": 24}
    return HandedModel(checkpoint, {"frame": read}, rule, {}, bah_questions(), {1: 0.25}, {}, {"note": "none"})


@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_fusion_comes_back_as_it_was(fusion, tmp_path):
    decoder = Decoder(Durations((40.5, 12.25), (1, 2), 0.3), 0.125)
    model = any_model(fusion, decoder=decoder, offset=0.1, stride=2)
    write_model_folder(tmp_path / "m", model, "# card\n", ["80001"])
    save_checkpoint(tmp_path / "model.pt", model.checkpoint)
    found, own = load_model_folder(tmp_path / "m"), load_checkpoint(tmp_path / "model.pt")
    assert list(found.checkpoint.normalisation.sizes) == ["visual", "audio", "text"]
    assert replace(found, checkpoint=own) == replace(model, checkpoint=own)
    assert found.checkpoint.decoder == decoder
    assert own.state.keys() == found.checkpoint.state.keys()
    assert all(torch.equal(own.state[name], x) and own.state[name].dtype == x.dtype
               for name, x in found.checkpoint.state.items())  # fmt: skip
    options = method_config(FUSIONS, fusion, found.checkpoint.options)
    assert options == method_config(FUSIONS, fusion, own.options)


def test_a_text_that_names_somebody_is_not_written(tmp_path):
    model = any_model("can")
    with pytest.raises(WaverError, match=r"MODEL_CARD\.md would name a participant"):
        write_model_folder(tmp_path / "m", model, "Thanks to 80001.\n", ["80001"])
    with pytest.raises(WaverError, match=r"model\.json would name"):
        write_model_folder(tmp_path / "m", replace(model, about={"from": "a/80001_Q1.mp4"}), "# card\n", ["80001_Q1"])
    assert not list(tmp_path.iterdir())
    write_model_folder(tmp_path / "m", model, "| 80001 | frames |\n", ["80001", "12"])
