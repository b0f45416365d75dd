"""Logistic heads and the prior, on generated data and (fixture ``bah_files``) on the public transcripts."""

import re

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from waver.datasets.answers import Answer
from waver.datasets.folds import folds_of
from waver.evaluation import metrics
from waver.models.text.inputs import class_weight, people_apart
from waver.models.text.logistic_regression import Scale, fit_logistic, margins, side_by_side
from waver.models.text.question_prior import QuestionPrior, QuestionPriorConfig
from waver.records import load, method_config
from waver.registry import ANSWER_MODELS


def answer(video, question, text="so it goes"):
    return Answer(video, video.split("_")[0], "train", question, 0, text, len(text.split()), None, "en")


def test_the_prior_is_the_balanced_log_odds_of_each_question():
    rng = np.random.default_rng(0)
    question = rng.integers(1, 8, 4000)
    label = (rng.random(4000) < np.array([0.2, 0.6, 0.6, 0.9, 0.5, 0.4, 0.8])[question - 1]).astype(np.uint8)
    answers = [answer(f"{i}_Q{q}", int(q)) for i, q in enumerate(question)]
    prior = QuestionPrior("Q", QuestionPriorConfig(smoothing=1e-9), 0, None)
    prior.fit(answers, label)
    one_hot = (question[:, None] == np.arange(1, 8)).astype(float)
    model = LogisticRegression(C=1e6, class_weight="balanced", fit_intercept=False, max_iter=5000).fit(one_hot, label)
    expected = {f"question {number}": value for number, value in enumerate(model.coef_[0], start=1)}
    assert prior.explain() == pytest.approx(expected, abs=5e-3)


def test_smoothing_pulls_what_was_seen_once_to_the_mean():
    answers = [
        *(answer(f"{i}_Q1", 1) for i in range(50)),
        *(answer(f"{i}_Q2", 2) for i in range(50)),
        answer("a_Q3", 3),
    ]
    label = np.array([1] * 40 + [0] * 10 + [1] * 10 + [0] * 40 + [1], np.uint8)
    prior = QuestionPrior("Q", QuestionPriorConfig(), 0, None)
    prior.fit(answers, label)
    one, two, three, never = prior.margin([answer(f"b_Q{q}", q) for q in (1, 2, 3, 6)])
    assert one > three > 0 > two
    assert never == pytest.approx(0, abs=1e-9)


def test_the_prevalence_is_met_on_people_held_out():
    rng = np.random.default_rng(1)
    label = (rng.random(400) < 0.25).astype(np.uint8)
    # more weights than answers: every fitted answer lies on its side of any threshold
    features = rng.normal(size=(400, 600)) + 0.12 * label[:, None]
    people = [f"p{i // 4}" for i in range(400)]
    half, moved = (fit_logistic(features, label, people, 1.0, rule) for rule in ("half", "prevalence"))
    np.testing.assert_array_equal(half.coef_, moved.coef_)
    unseen = (rng.random(4000) < 0.25).astype(np.uint8)
    margin = margins(moved, rng.normal(size=(4000, 600)) + 0.12 * unseen[:, None])
    assert (margin > 0).mean() == pytest.approx(0.25, abs=0.06)
    for sparse_too in (features, sparse.csr_matrix(features)):
        np.testing.assert_allclose(fit_logistic(sparse_too, label, people, 1.0, "half").coef_, half.coef_, atol=1e-3)


def test_people_are_in_one_part_whatever_the_order():
    people = [f"p{i % 11}" for i in range(60)]
    part = people_apart(people, 3, 0)
    assert {len({part[i] for i, name in enumerate(people) if name == one}) for one in people} == {1}
    assert sorted(np.unique(part)) == [0, 1, 2]
    np.testing.assert_array_equal(people_apart(people[::-1], 3, 0), part[::-1])


def test_weights_of_classes():
    weight = class_weight(np.array([1, 0, 0, 0], np.uint8))
    assert weight[0] == weight[1:].sum() == 2


def test_a_constant_feature_becomes_zero():
    scale = Scale(np.array([[1.0, 5.0], [3.0, 5.0]]))
    np.testing.assert_array_equal(scale(np.array([[2.0, 7.0], [3.0, 5.0]])), [[0, 0], [1, 0]])
    assert side_by_side([sparse.csr_matrix((2, 3)), np.zeros((2, 0)), np.ones((2, 1))]).shape == (2, 4)


# public transcripts ----------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def bah_answers(bah_files):
    found = []
    for split in ("train", "val"):
        for line in (bah_files / f"video_level_{split}.txt").read_text().splitlines():
            path, label, text = line.split(",", 2)
            person, question = re.search(r"Videos/(\d+)/.*_Question_(\d)_", path).groups()
            words = len(text.split())
            found.append(
                Answer(f"{person}_Q{question}", person, split, int(question), int(label), text, words, None, None)
            )
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "inputs", "avgf1", "average_precision"),
    [
        ("question_prior", "Q", 0.679, 0.790),
        ("cues", "Q", 0.707, 0.833),
        ("cues", "TQ", 0.701, 0.838),
        ("tfidf", "T", 0.677, 0.817),
        ("tfidf", "TQ", 0.711, 0.838),
    ],
)
def test_cross_validated_scores(bah_answers, name, inputs, avgf1, average_precision):
    """Known figures, from other folds: half of their 95 % interval over participants is .03."""
    config = method_config(ANSWER_MODELS, name, {})
    label = np.array([answer.label for answer in bah_answers], np.uint8)
    fold_of = folds_of([answer.participant for answer in bah_answers], 5)
    fold = np.array([fold_of[answer.participant] for answer in bah_answers])
    margin = np.zeros(len(label))
    for held_out in range(5):
        learn, judge = np.flatnonzero(fold != held_out), np.flatnonzero(fold == held_out)
        model = load(ANSWER_MODELS, name)(inputs, config, 0, None)
        model.fit([bah_answers[i] for i in learn], label[learn], None)
        margin[judge] = model.margin([bah_answers[i] for i in judge], None)
    probability = 1 / (1 + np.exp(-margin))
    assert metrics.avgf1(probability, label) == pytest.approx(avgf1, abs=0.03)
    assert metrics.average_precision(probability, label) == pytest.approx(average_precision, abs=0.035)
