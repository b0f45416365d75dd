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
from waver.config.sections import AlignConfig, FeaturesConfig, TrainConfig
from waver.datasets.questions import bah_questions
from waver.errors import WaverError
from waver.io.tables import ANSWERS, PACK_INDEX, PARTICIPANTS, SCORES, read_table, read_tables, write_table
from waver.models.duration_hmm import Durations
from waver.predict.batch import predict_all
from waver.predict.controls import Controls, Linear
from waver.predict.decisions import Decisions
from waver.predict.model_card import licence_chain
from waver.predict.model_folder import (
    CARD,
    FORMAT,
    GRAPH,
    RECORD,
    WEIGHTS,
    HandedModel,
    _sealed,
    load_model_folder,
    write_model_folder,
)
from waver.predict.onnx_graph import TOLERANCE, largest_difference
from waver.predict.options import Options
from waver.predict.preparation import Preparation
from waver.predict.result import Bands
from waver.predict.segments import SegmentRule
from waver.predict.trained import Trained, load_trained
from waver.records import load, method_config
from waver.registry import FUSIONS
from waver.training.corpus import Normalisation, read_corpus
from waver.training.frames.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from waver.training.frames.fit import train_fusion
from waver.training.frames.hmm_decoding import Decoder
from waver.training.frames.predict import predict
from waver.training.trained_model import TrainedModel

SMALL = {"channels": {name: [8] for name in ("visual", "audio", "text")}}
CONFIG = TrainConfig(window=60, hop=30, batch=4, epochs=1, decision="prevalence", options={"lfan": SMALL})
MODEL = TrainedModel("lfan", "VAT", "lfan", "", "VAT", 60)
MODELS = {
    "faces": ["retinaface_mobilenet"],
    "visual": ["mini_xception"],
    "audio": [],
    "words": ["minilm"],
    "speech": [],
}


def sidecar(file, inputs, **params):
    text = json.dumps({"input": inputs, "params": params})
    file.with_name(f"{file.name}.provenance.json").write_text(text)


def features_made(folder):
    """Indexes of features as the jobs leave them beside their stores, with the models that they name."""
    for feature, models in MODELS.items():
        index = folder / f"resources/tiny/features/{feature}/000.parquet"
        index.parent.mkdir(parents=True)
        records = [f"resources/models/{name}/asset.json" for name in models]
        for record, name in zip(records, models, strict=True):
            installed(folder / record, name)
        speech = ["resources/tiny/features/speech/000.parquet"] if feature == "words" else []
        config = getattr(FeaturesConfig(), feature, None)
        sidecar(index, [*records, *speech], config=config.model_dump() if config else None)
    return [feature for feature in MODELS if feature != "speech"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A working folder with all that a finished run of one small model leaves, as far as an export reads it."""
    folder = tmp_path_factory.mktemp("work")
    indexes, packs = write_packs(folder / "resources/tiny/align", {"train": 4, "val": 3, "test": 1}, 2, 72)
    names = features_made(folder)
    made = [f"resources/tiny/features/{name}/000.parquet" for name in names]
    for index in indexes:  # both classes among the recordings
        rows = read_table(index, PACK_INDEX)
        write_table(index, [{**rows[0], "label": 0}, *rows[1:]], PACK_INDEX)
    answers = [folder / f"resources/tiny/ingest/shards/{index.stem}.answers.parquet" for index in indexes]
    for index, file in zip(indexes, answers, strict=True):
        sidecar(index, made, features=names, config=AlignConfig().model_dump())
        write_answers(file, [index])
    rows = {row["participant"]: row["split"] for row in read_tables(indexes, PACK_INDEX)}
    blank = dict.fromkeys(PARTICIPANTS.names) | {"consent_publication": False, "consent_challenge": True}
    people = folder / "resources/tiny/ingest/participants.parquet"
    write_table(people, [blank | {"participant": who, "split": split} for who, split in rows.items()], PARTICIPANTS)
    sidecar(people, [], inventory="generated", reader="bah", layout="auto", purpose="research")
    run = folder / "results/tiny"
    outputs = {name: run / "train/lfan/VAT/3" / file for name, file in TRAINED.items()}
    outputs["model"].parent.mkdir(parents=True)
    about = {"model_set": "embedded", "code": "c0de", "config": CONFIG.recipe, **MODEL.own_record}
    train_fusion(indexes, packs, "lfan", "VAT", 3, CONFIG, outputs, about)
    inputs = [str(path.relative_to(folder)) for path in (*indexes, people, *answers)]
    sidecar(outputs["model"], inputs[: len(indexes)])
    blank = dict.fromkeys(SCORES.names) | {"level": "frame", "split": "val", "protocol": "standard", "group": "all"}
    blank |= {"metric": "AVGF1", "value": 0.5, "seeds": 1, "model_set": "embedded", "video_head": False}
    lines = [{"method": "lfan", "modalities": "VAT", **MODEL.columns}, {"method": "content_free", "modalities": ""}]
    write_table(run / "evaluate/scores.parquet", [blank | line for line in lines], SCORES)
    config = {"least_group": 3, "video_rule": "sliding_mean", "window_frames": 24}
    sidecar(run / "evaluate/scores.parquet", inputs, config=config, models=[MODEL.record])
    return folder


TRAINED = {"model": "model.pt", "history": "history.jsonl", "predictions": "predictions.parquet"}


def installed(path, name):
    about = manifest()[name].model_dump(include={"role", "set", "title", "licence"})
    path.parent.mkdir(parents=True)
    files = {file.name: file.sha256 for file in manifest()[name].files}
    path.write_text(Installed(name=name, folder="", files=files, **about).model_dump_json())


def export(*more):
    return main(["export-model", "--model", "results/tiny", "--out", "out/lfan", *more])


@pytest.fixture(scope="module")
def out(place):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert export("--onnx") == 0
    return place / "out/lfan"


@pytest.mark.slow
def test_it_predicts_the_bits_of_the_runs_model(place, out):
    indexes = sorted((place / "resources/tiny/align").glob("*.parquet"))
    videos = read_corpus(indexes, place / "resources/tiny/align/packs", "VAT", ["test"])
    own = load_checkpoint(place / "results/tiny/train/lfan/VAT/3/model.pt")
    handed = load_model_folder(out).trained.checkpoint
    assert own.offset == handed.offset != 0
    expected, found = predict(own, videos), predict(handed, videos)
    assert expected.keys() == found.keys()
    assert len(videos) == 2
    assert all(np.array_equal(expected[video], found[video]) for video in expected)


@pytest.mark.slow
def test_no_file_names_anybody(place, out):
    answers = read_tables(sorted((place / "resources/tiny/ingest/shards").glob("*.parquet")), ANSWERS)
    names = {row["participant"] for row in answers} | {row["video"] for row in answers}
    assert sorted(path.name for path in out.iterdir()) == sorted([WEIGHTS, RECORD, CARD, GRAPH])
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
    assert load_model_folder(out).trained.checkpoint.fusion == "lfan"


def test_it_comes_back_as_the_run_gives_it(place, out):
    """All but the checkpoint, whose bits are compared above, and the folders of models on this machine."""
    run = load_trained(place / "results/tiny")
    found = load_model_folder(out)
    models = {
        name: tuple(one.model_copy(update={"folder": ""}) for one in of) for name, of in run.preparation.models.items()
    }
    expected = replace(run, preparation=replace(run.preparation, models=models))
    kept = {"checkpoint": found.trained.checkpoint, "sha256": found.trained.sha256}
    assert found.trained == replace(expected, **kept)
    assert found.trained.controls is not None
    assert found.trained.decisions.video_temperature != 1


def test_its_graph_is_its_network(out):
    model = load_model_folder(out).trained.checkpoint
    assert largest_difference(model, (out / GRAPH).read_bytes(), [(1, 75)]) <= TOLERANCE
    assert {path.stat().st_mode & 0o077 for path in out.iterdir()} == {0}  # the user's alone


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
    record = json.loads((tmp_path / RECORD).read_text())
    (tmp_path / WEIGHTS).write_bytes((out / WEIGHTS).read_bytes())
    (tmp_path / RECORD).write_text(json.dumps(record | {"run": "another"}))
    with pytest.raises(WaverError, match="says other than was exported; copy the folder again"):
        load_model_folder(tmp_path)
    for text in (f'{{"format": {FORMAT}, "run": "\\ud800", "record_digest": ""}}', "[" * 100_000):
        (tmp_path / RECORD).write_text(text)
        with pytest.raises(WaverError, match=r"copy the folder again|no folder of a model"):
            load_model_folder(tmp_path)
    for change in ({"preparation": {}}, {"checkpoint": record["checkpoint"] | {"fusion": "of tomorrow"}}):
        (tmp_path / RECORD).write_text(json.dumps(_sealed(record | change)))
        with pytest.raises(WaverError, match="another version"):
            load_model_folder(tmp_path)
    (tmp_path / RECORD).write_text(json.dumps({"format": 0}))
    with pytest.raises(WaverError, match="another version"):
        load_model_folder(tmp_path)
    with pytest.raises(WaverError, match="no folder of a model"):
        load_model_folder(tmp_path / "nothing")
    with pytest.raises(WaverError, match="in the folder of the model"):
        predict_all(Options((), out, out / "predictions"))
    assert not (out / "predictions").exists()


def test_what_is_not_there_is_told_in_a_sentence(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    assert export("--seed", "4") == 1
    assert "has no model with seed 4" in capsys.readouterr().err
    assert export("--model", "results/none") == 1
    assert "results/none is not there" in capsys.readouterr().err
    assert export("--out", "results/tiny") == 1
    assert "is there and holds no model; give --out a new folder" in capsys.readouterr().err
    assert export("--licence", "word_encoder") == 1
    assert "write ROLE=TEXT" in capsys.readouterr().err


def any_model(fusion, **changes):
    """A fusion with random weights, in all that surrounds it."""
    sizes = {"visual": 5, "audio": 4, "text": 6}
    method, config = load(FUSIONS, fusion), method_config(FUSIONS, fusion, {})
    scale = Normalisation(*({name: np.full(size, k, np.float32) for name, size in sizes.items()} for k in (0.1, 0.7)))
    state = method(sizes, config).state_dict()
    checkpoint = Checkpoint(fusion, "VAT", config.model_dump(), scale, state, window=48, hop=24, **changes)
    decisions = Decisions(
        0.4, 0.6, Bands(0.1, 0.8), 0.25, None, 8, "sliding_mean", 24, SegmentRule("hysteresis", 0.6, 0.3, 12),
        1.5, 0.7,
    )  # fmt: skip
    one = Linear((0.5, -1.25), 0.1)
    trained = Trained(
        f"{fusion}/VAT/0", "any", "the only one", checkpoint, "",
        Preparation(FeaturesConfig(), AlignConfig()), decisions, Controls(one, one, one), bah_questions(), "embedded",
    )  # fmt: skip
    return HandedModel(trained, {"note": "none"})


@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_fusion_comes_back_as_it_was(fusion, tmp_path):
    decoder = Decoder(Durations((40.5, 12.25), (1, 2), 0.3), 0.125)
    model = any_model(fusion, decoder=decoder, offset=0.1, stride=2)
    write_model_folder(tmp_path / "m", model, "# card\n", ["80001"])
    save_checkpoint(tmp_path / "model.pt", model.trained.checkpoint)
    found, own = load_model_folder(tmp_path / "m").trained, load_checkpoint(tmp_path / "model.pt")
    assert list(found.checkpoint.normalisation.sizes) == ["visual", "audio", "text"]
    assert replace(found, checkpoint=own, sha256="") == replace(model.trained, checkpoint=own)
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
