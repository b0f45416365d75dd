"""Training and cross-validation of models of what was said, with the models themselves."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from waver.config.sections import WordsConfig
from waver.datasets.answers import UNKNOWN, Answer, read_answers
from waver.datasets.folds import folds_of
from waver.errors import WaverError
from waver.evaluation import metrics
from waver.features.answer_encodings import encode_shard
from waver.io.tables import ANSWERS, PREDICTIONS, WEIGHTS, read_metadata, read_table, write_table
from waver.training.answers.fit import train_answers

FOLDS = 3
RECORD = {"model_set": "embedded", "code": "c0de", "config": {}}
TORN = ["but", "I", "wish", "I", "could", "and", "then", "again", "I", "should"]
PLAIN = ["we", "went", "there", "and", "it", "was", "a", "good", "day", "with", "them"]
MODELS = [("tfidf", "T"), ("tfidf", "TQ"), ("question_prior", "Q"), ("cues", "TQ")]


def made(people=15):
    """Four answers a person; who says what one torn between two things says shows A/H, question 4 more often."""
    rng = np.random.default_rng(0)
    answers = []
    for person in range(people):
        split = ("train", "train", "val", "train", "test")[person % 5]
        for question in (1, 4, 6, 7):
            label = int(rng.random() < {1: 0.2, 4: 0.8, 6: 0.4, 7: 0.6}[question])
            words = [*rng.choice(PLAIN, 6), *rng.choice(TORN if label else PLAIN, 4)]
            name = f"{82000 + person}"
            answers.append(Answer(f"{name}_Q{question}", name, split, question, label, " ".join(words), 10, None, "en"))
    return answers


def write(path, answers):
    rows = [{**vars(answer), "label": None if answer.label == UNKNOWN else answer.label} for answer in answers]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, rows, ANSWERS)
    return path


def run(folder, answers, name="tfidf", inputs="T", folds=FOLDS, seed=0, encodings=(), encoder=None, options=None):
    """Two shards in, two tables out."""
    shards = [write(folder / f"{n:03d}.answers.parquet", answers[n::2]) for n in range(2)]
    outputs = {name: folder / f"{name}.parquet" for name in ("predictions", "folds", "weights")}
    encoder = encoder or folder / "none.json"
    train_answers(shards, list(encodings), encoder, name, inputs, seed, folds, "random", options or {}, outputs, RECORD)
    return outputs


def margins(path):
    rows = read_table(path, PREDICTIONS)
    found = {row["video"]: row["margin"] for row in rows}
    assert len(found) == len(rows)
    return found


def fold_of(answers):
    return folds_of([answer.participant for answer in answers if answer.split != "test"], FOLDS)


def turned_round(answers, chosen):
    return [replace(answer, label=1 - answer.label) if chosen(answer) else answer for answer in answers]


def test_answers_survive_the_table(tmp_path):
    answers = [
        *made(3),
        replace(made(1)[0], video="90_Q1", question=None, label=UNKNOWN, duration_s=2.5, text="", words=0),
    ]
    shards = [write(tmp_path / "a.parquet", answers[:5]), write(tmp_path / "b.parquet", answers[5:])]
    assert read_answers(shards) == answers


@pytest.mark.parametrize(("name", "inputs"), MODELS)
def test_every_answer_is_predicted_once(tmp_path, name, inputs):
    answers = [replace(answer, label=UNKNOWN) if answer.video == "82000_Q1" else answer for answer in made()]
    files = run(tmp_path, answers, name, inputs)
    folds = fold_of(answers)
    for kind, protocol, splits in (("predictions", "standard", {"val", "test"}), ("folds", "cv", {"train", "val"})):
        rows = read_table(files[kind], PREDICTIONS)
        expected = {answer.video: answer.split for answer in answers if answer.split in splits}
        assert {row["video"]: row["split"] for row in rows} == expected
        assert len(rows) == len(expected)
        assert [row["fold"] for row in rows] == [
            None if kind == "predictions" else folds[row["participant"]] for row in rows
        ]
        assert {row["frame"] for row in rows} == {None}
        margin, chance = (np.array([row[key] for row in rows]) for key in ("margin", "probability"))
        assert np.allclose(chance, 1 / (1 + np.exp(-margin)))
        assert margin.std() > 0
        about = read_metadata(files[kind])
        parameters = about.pop("parameters")
        assert (parameters is None) == (name == "question_prior")
        assert about == {
            "method": name, "modalities": inputs, "level": "video", "protocol": protocol, "seed": 0, **RECORD,
        }  # fmt: skip


@pytest.mark.parametrize(("name", "inputs"), MODELS)
def test_the_held_out_teach_nothing(tmp_path, name, inputs):
    """Turning a fold's labels round changes only what is predicted of the others."""
    answers = made()
    folds = fold_of(answers)
    honest = margins(run(tmp_path / "a", answers, name, inputs)["folds"])
    flipped = turned_round(answers, lambda answer: folds.get(answer.participant) == 1)
    other = margins(run(tmp_path / "b", flipped, name, inputs)["folds"])
    assert honest.keys() == other.keys()
    changed = {video.split("_")[0] for video in honest if honest[video] != other[video]}
    assert changed == {person for person, fold in folds.items() if fold != 1}


@pytest.mark.parametrize(("name", "inputs"), MODELS)
def test_the_test_split_teaches_nothing(tmp_path, name, inputs):
    """Neither its labels nor its words change a prediction of anybody else; its labels not even its own."""
    answers = made()
    honest = run(tmp_path / "a", answers, name, inputs)
    labels = run(tmp_path / "b", turned_round(answers, lambda answer: answer.split == "test"), name, inputs)
    for kind in ("predictions", "folds"):
        assert labels[kind].read_bytes() == honest[kind].read_bytes()
    words = [replace(a, text="never never", words=2, question=2) if a.split == "test" else a for a in answers]
    other = run(tmp_path / "c", words, name, inputs)
    assert other["folds"].read_bytes() == honest["folds"].read_bytes()
    before, after = margins(honest["predictions"]), margins(other["predictions"])
    val = [answer.video for answer in answers if answer.split == "val"]
    assert [before[video] for video in val] == [after[video] for video in val]
    assert before != after


def test_val_teaches_a_model_without_epochs_nothing(tmp_path):
    answers = made()
    honest = run(tmp_path / "a", answers)
    flipped = run(tmp_path / "b", turned_round(answers, lambda answer: answer.split == "val"))
    assert flipped["predictions"].read_bytes() == honest["predictions"].read_bytes()
    assert flipped["folds"].read_bytes() != honest["folds"].read_bytes()


def test_what_was_said_is_learnt(tmp_path):
    answers = made(40)
    files = run(tmp_path, answers)
    truth = {answer.video: answer.label for answer in answers}
    for path in (files["predictions"], files["folds"]):
        found = margins(path)
        label = np.array([truth[video] for video in found], np.uint8)
        assert metrics.auroc(np.array([*found.values()]), label) > 0.8


def test_a_model_that_can_be_read_is_written_down(tmp_path):
    out = run(tmp_path, made(), "cues", "TQ")
    rows = read_table(out["weights"], WEIGHTS)
    assert read_metadata(out["weights"])["method"] == "cues"
    features = {row["feature"] for row in rows}
    assert {"count of hedge", "question 4", "log words"} <= features
    assert [row["fold"] for row in rows if row["feature"] == "question 4"] == [None, 0, 1, 2]
    assert len(rows) == 4 * len(features)
    assert next(row["weight"] for row in rows if row["feature"] == "question 4") > 0
    assert not read_table(run(tmp_path / "unreadable", made(), "tfidf")["weights"], WEIGHTS)


def test_an_empty_test_split(tmp_path):
    answers = [answer for answer in made() if answer.split != "test"]
    files = run(tmp_path, answers, "cues", "T")
    assert {row["split"] for row in read_table(files["predictions"], PREDICTIONS)} == {"val"}
    train = [answer for answer in answers if answer.split == "train"]
    files = run(tmp_path / "alone", train, "cues", "T")
    assert read_table(files["predictions"], PREDICTIONS) == []
    assert len(read_table(files["folds"], PREDICTIONS)) == len(train)


@pytest.mark.parametrize("folds", [0, 1])
def test_without_folds_their_table_is_empty(tmp_path, folds, caplog):
    with caplog.at_level(logging.INFO):
        files = run(tmp_path, made(), folds=folds)
    assert read_table(files["folds"], PREDICTIONS) == []
    assert read_metadata(files["folds"])["protocol"] == "cv"
    assert len(read_table(files["predictions"], PREDICTIONS)) == 24
    assert "fold 1" not in caplog.text


def test_two_folds_learn_from_each_answer_once(tmp_path):
    """With two folds the half that learns would also choose: no answer may count twice."""
    answers = made()
    folds = folds_of([answer.participant for answer in answers if answer.split != "test"], 2)
    crossed = margins(run(tmp_path / "a", answers, folds=2)["folds"])
    for held_out in range(2):
        split = {person: "val" if fold == held_out else "train" for person, fold in folds.items()}
        apart = [replace(answer, split=split[answer.participant]) for answer in answers if answer.split != "test"]
        alone = margins(run(tmp_path / f"b{held_out}", apart, folds=0)["predictions"])
        assert alone == {video: margin for video, margin in crossed.items() if folds[video.split("_")[0]] == held_out}


def test_the_same_inputs_give_the_same_bytes(tmp_path):
    first, again = run(tmp_path / "a", made()), run(tmp_path / "b", made())
    assert first["predictions"].read_bytes() == again["predictions"].read_bytes()
    assert first["folds"].read_bytes() == again["folds"].read_bytes()


def test_what_stops_the_job(tmp_path):
    answers = made()
    for label in (0, UNKNOWN):
        blind = [replace(answer, label=label) if answer.split == "train" else answer for answer in answers]
        with pytest.raises(WaverError, match="train split needs labelled answers of both classes"):
            run(tmp_path, blind)
    with pytest.raises(WaverError, match=r"12 participants .* lower train\.folds"):
        run(tmp_path, answers, folds=13)
    with pytest.raises(WaverError, match="'bert' is not a known method"):
        run(tmp_path, answers, "bert")


@pytest.fixture(scope="module")
def encoded(tmp_path_factory, installed_models):
    """Answers as a real text encoder reads them: the answers, its record and the indexes of two shards."""
    folder, answers = tmp_path_factory.mktemp("encoded"), made(20)
    encoder = installed_models / "minilm" / "asset.json"
    indexes = [folder / f"{number:03d}.parquet" for number in range(2)]
    for number, index in enumerate(indexes):
        shard = write(folder / f"in/{number:03d}.parquet", answers[number::2])
        encode_shard(shard, encoder, encoder, folder / "stores", index, WordsConfig(), "code")
    return answers, {"encoder": encoder, "encodings": indexes}


@pytest.mark.slow
def test_a_model_of_encodings_gets_those_of_its_answers(encoded, tmp_path):
    answers, inputs = encoded
    files = run(tmp_path / "run", answers, "sentence", "T", **inputs)
    truth = {answer.video: answer.label for answer in answers}
    found = margins(files["folds"])
    assert found.keys() == {answer.video for answer in answers if answer.split != "test"}
    assert metrics.auroc(np.array([*found.values()]), np.array([truth[video] for video in found], np.uint8)) > 0.7
    turned = turned_round(answers, lambda answer: answer.split == "test")
    other = run(tmp_path / "again", turned, "sentence", "T", **inputs | {"encodings": inputs["encodings"][::-1]})
    for kind, path in files.items():
        assert other[kind].read_bytes() == path.read_bytes()


@pytest.mark.slow
def test_a_model_that_chooses_its_epoch_does_not_on_the_held_out(encoded, tmp_path):
    answers, inputs = encoded
    inputs = inputs | {"options": {"size": 8, "epochs": 4, "batch": 16, "rate": 2e-2, "kernel": 3, "layers": 1}}
    folds = fold_of(answers)
    honest = run(tmp_path / "a", answers, "sequence", "TQ", **inputs)
    flipped = turned_round(answers, lambda answer: folds.get(answer.participant) == 1)
    before, after = margins(honest["folds"]), margins(run(tmp_path / "b", flipped, "sequence", "TQ", **inputs)["folds"])
    unchanged = {video.split("_")[0] for video in before if before[video] == after[video]}
    assert unchanged == {person for person, fold in folds.items() if fold == 1}
    tested = turned_round(answers, lambda answer: answer.split == "test")
    for kind, path in run(tmp_path / "c", tested, "sequence", "TQ", **inputs).items():
        assert path.read_bytes() == honest[kind].read_bytes()
