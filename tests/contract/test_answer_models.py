"""What every registered model of answers must do, by the contract in ``waver.models.base``."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tiny_bert import write_bert
from waver.datasets.answers import Answer
from waver.errors import WaverError
from waver.evaluation import metrics
from waver.models.base import AnswerModel, Encoding
from waver.records import load, method_config
from waver.registry import ANSWER_MODELS
from waver.training.answers.training import fit_model

INPUTS = {"question_prior": ["Q"], "cues": ["T", "TQ", "Q"]}
CASES = [(name, inputs) for name in ANSWER_MODELS for inputs in INPUTS.get(name, ["T", "TQ"])]
NETWORKS = [case for case in CASES if case[0] in ("sequence", "encoder")]
SMALL = {
    "sequence": {
        "size": 8,
        "epochs": 5,
        "batch": 16,
        "rate": 2e-2,
        "kernel": 3,
        "layers": 1,
        "dropout": 0.1,
        "input_dropout": 0.1,
    },
    "encoder": {"layers": 1, "epochs": 3, "rate": 1e-3, "head_rate": 3e-2, "batch": 8},
}
PLAIN = ["and", "then", "we", "went", "there", "with", "them", "it", "was", "that", "day", "one", "two"]
TORN = ["but", "i", "wish", "however", "although", "should", "never"]
DIM = 12


@pytest.fixture(scope="session")
def encoder(tmp_path_factory):
    """Folder of a two-layer BERT with random weights and its tokenizer."""
    words = [*PLAIN, *TORN, "something", "you", "an", "activity"]
    return write_bert(tmp_path_factory.mktemp("bert"), words)


def answers_of(people, seed=0):
    """Answers whose words, and less so whose question, tell the label."""
    rng = np.random.default_rng(seed)
    made = []
    for person in range(people):
        for number in range(6):
            label = int(rng.random() < 0.5)
            count = int(rng.integers(4, 12))
            text = rng.choice(PLAIN, count).tolist() + (rng.choice(TORN, 4).tolist() if label else [])
            likely = [4, 7] if label else [1, 5, 6]
            question = int(rng.choice(likely if rng.random() < 0.8 else [1, 2, 3, 4, 5, 6, 7]))
            rng.shuffle(text)
            video = f"{seed}{person:03d}_Q{number}"
            made.append(
                Answer(video, video[:4], "train", question, label, " ".join(text), len(text), 0.4 * count, "en")
            )
    return made


def vectors_of(answers):
    """Encodings by an encoder that knows each word by a random vector."""
    word = {w: np.random.default_rng(i).normal(size=DIM).astype(np.float32) for i, w in enumerate([*PLAIN, *TORN])}
    found = []
    for answer in answers:
        tokens = np.array([word[w] for w in answer.text.split()], np.float32).reshape(-1, DIM)
        sentences = [tokens[start : start + 5] for start in range(0, len(tokens), 5)]
        parts = np.array([unit(sentence) for sentence in sentences], np.float32).reshape(-1, DIM)
        found.append(Encoding(unit(tokens) if len(tokens) else unit(np.ones((1, DIM), np.float32)), tokens, parts))
    return found


def unit(tokens):
    mean = tokens.mean(0)
    return mean / np.linalg.norm(mean)


def labels_of(answers):
    return np.array([answer.label for answer in answers], np.uint8)


def fitted(name, inputs, folder, answers, seed=0, label=None, val=None, **options):
    method = load(ANSWER_MODELS, name)
    config = method_config(ANSWER_MODELS, name, SMALL.get(name, {}) | options)
    model = method(inputs, config, seed, folder if method.tunes else None)
    vectors = vectors_of(answers) if method.encodes else None
    fit_model(model, answers, labels_of(answers) if label is None else label, vectors, val)
    return model


@cache
def standard(name, inputs, folder):
    """The model that learned from LEARN, fitted once for all tests."""
    return fitted(name, inputs, folder, LEARN)


def margins(model, answers):
    found = model.margin(answers, vectors_of(answers) if model.encodes else None)
    assert found.shape == (len(answers),)
    assert found.dtype == np.float64
    assert np.isfinite(found).all()
    return found


LEARN, JUDGE = answers_of(20), answers_of(10, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "inputs"), CASES)
def test_a_signal_is_learnt_that_holds_for_other_people(name, inputs, encoder):
    found = margins(standard(name, inputs, encoder), JUDGE)
    truth = labels_of(JUDGE)
    assert metrics.auroc(found, truth) > (0.7 if inputs == "Q" else 0.9)
    assert metrics.avgf1(1 / (1 + np.exp(-found)), truth) > (0.6 if inputs == "Q" else 0.8)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "inputs"), CASES)
def test_it_repeats_and_the_order_of_the_answers_is_irrelevant(name, inputs, encoder):
    first = margins(standard(name, inputs, encoder), JUDGE)
    rng = np.random.default_rng(1)
    mixed = [LEARN[i] for i in rng.permutation(len(LEARN))]
    turn = rng.permutation(len(JUDGE))
    again = margins(fitted(name, inputs, encoder, mixed), [JUDGE[i] for i in turn])
    np.testing.assert_array_equal(first[turn], again)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "inputs"), CASES)
def test_labels_and_splits_of_the_answers_are_not_looked_at(name, inputs, encoder):
    def disguised(answers):
        return [replace(answer, label=1 - answer.label, split="test") for answer in answers]

    label = labels_of(LEARN)
    first = margins(standard(name, inputs, encoder), JUDGE)
    again = margins(fitted(name, inputs, encoder, disguised(LEARN), label=label), disguised(JUDGE))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(("name", "inputs"), CASES)
def test_an_answer_is_judged_without_the_others(name, inputs, encoder):
    model = standard(name, inputs, encoder)
    together = margins(model, JUDGE)
    alone = np.concatenate([margins(model, [answer]) for answer in JUDGE[:5]])
    np.testing.assert_allclose(together[:5], alone, atol=2e-4)
    assert margins(model, []).shape == (0,)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "inputs"), CASES)
def test_what_is_unknown_stops_nothing(name, inputs, encoder):
    odd = [
        replace(JUDGE[0], question=None),
        replace(JUDGE[0], text="", words=0),
        replace(JUDGE[0], text="", words=0, question=None, language=None, duration_s=None),
        replace(JUDGE[0], language="de"),
    ]
    learn = [*LEARN, *(replace(answer, video=f"x{i}_Q1") for i, answer in enumerate(odd))]
    margins(fitted(name, inputs, encoder, learn), odd)
    margins(standard(name, inputs, encoder), [odd[2]])


@pytest.mark.parametrize(("name", "inputs"), CASES)
def test_only_with_q_does_the_question_play_a_part(name, inputs, encoder):
    model = standard(name, inputs, encoder)
    requested = [replace(answer, question=1 + answer.question % 7) for answer in JUDGE]
    same = np.array_equal(margins(model, JUDGE), margins(model, requested))
    assert same == ("Q" not in inputs)


@pytest.mark.parametrize(("name", "inputs"), CASES)
def test_one_class_is_refused_in_a_sentence(name, inputs, encoder):
    for label in (0, 1):
        with pytest.raises(WaverError, match=f"{name} was given no answer with") as caught:
            fitted(name, inputs, encoder, LEARN, label=np.full(len(LEARN), label, np.uint8))
        assert "\n" not in str(caught.value)
    with pytest.raises(WaverError, match="was given no answer"):
        fitted(name, inputs, encoder, [], label=np.zeros(0, np.uint8))


@pytest.mark.parametrize("name", ANSWER_MODELS)
def test_inputs_it_cannot_take_are_refused(name, encoder):
    with pytest.raises(WaverError, match=f"{name} takes the inputs .*, not 'VAT'"):
        load(ANSWER_MODELS, name)("VAT", method_config(ANSWER_MODELS, name, {}), 0, encoder)


# of content the seed deals out the inner folds, and they may choose the same penalty: see its unit tests
@pytest.mark.slow
@pytest.mark.parametrize(("name", "inputs"), [case for case in CASES if case[0] != "content"])
def test_the_seed_decides_what_is_drawn(name, inputs, encoder):
    first = margins(standard(name, inputs, encoder), JUDGE)
    other = margins(fitted(name, inputs, encoder, LEARN, seed=1), JUDGE)
    assert np.array_equal(first, other) == ((name, inputs) not in NETWORKS)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "inputs"), NETWORKS)
def test_other_people_choose_the_epoch(name, inputs, encoder):
    val = (JUDGE, 1 - labels_of(JUDGE), vectors_of(JUDGE))
    misled = fitted(name, inputs, encoder, LEARN, val=val, patience=1)
    assert misled.epoch == 1
    helped = fitted(name, inputs, encoder, LEARN, val=(JUDGE, labels_of(JUDGE), vectors_of(JUDGE)))
    assert helped.epoch > 1
    nobody = fitted(name, inputs, encoder, LEARN, val=([], np.zeros(0, np.uint8), []))
    np.testing.assert_array_equal(margins(nobody, JUDGE), margins(standard(name, inputs, encoder), JUDGE))


@pytest.mark.parametrize("name", ["sequence", "encoder"])
def test_those_who_choose_may_be_of_one_class(name, encoder):
    some = [answer for answer in JUDGE if answer.label]
    margins(fitted(name, "TQ", encoder, LEARN, val=(some, labels_of(some), vectors_of(some)), epochs=1), JUDGE)


@pytest.mark.parametrize("name", ["tfidf", "sentence", "sequence", "encoder"])
def test_cues_can_be_an_extra_channel(name, encoder):
    plain = margins(standard(name, "TQ", encoder), JUDGE)
    more = margins(fitted(name, "TQ", encoder, LEARN, cues=True), JUDGE)
    assert not np.array_equal(plain, more)


@pytest.mark.parametrize(
    ("name", "inputs"), [case for case in CASES if load(ANSWER_MODELS, case[0]).explain is not AnswerModel.explain]
)
def test_named_weights_are_finite(name, inputs, encoder):
    weights = standard(name, inputs, encoder).explain()
    assert weights
    assert all(isinstance(key, str) and np.isfinite(value) for key, value in weights.items())


@pytest.mark.parametrize(("name", "inputs"), CASES)
def test_numbers_learnt_are_counted_where_there_is_a_regression_or_a_network(name, inputs, encoder):
    model = standard(name, inputs, encoder)
    if name == "question_prior":
        assert model.parameter_count() is None
    elif (name, inputs) in NETWORKS:
        assert model.parameter_count() == sum(p.numel() for p in model.network.parameters())
    else:
        assert model.parameter_count() == model.model.n_features_in_ + 1


def test_encodings_and_an_encoder_are_asked_for(encoder):
    for name in ("sentence", "content", "sequence"):
        model = load(ANSWER_MODELS, name)("T", method_config(ANSWER_MODELS, name, SMALL.get(name, {})), 0, None)
        with pytest.raises(WaverError, match="needs their encodings"):
            fit_model(model, LEARN, labels_of(LEARN), None)
    with pytest.raises(WaverError, match="was given none"):
        load(ANSWER_MODELS, "encoder")("T", method_config(ANSWER_MODELS, "encoder", {}), 0, None)
