"""What a model says as a label, and what an answer that is neither counts as."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from waver.errors import WaverError
from waver.zeroshot.answers import Answers, check_parsable, decided, majorities, parse_answer

PAPERS = Answers(positive="Ambivalent", negative="Non-Ambivalent")
YES_NO = Answers(positive="Yes", negative="No", also_positive=("oui",), also_negative=("non",))
SAID = {
    1: (
        "Ambivalent", " Ambivalent", "ambivalent.", "**Ambivalent**", "__Ambivalent__", "'Ambivalent'", "“Ambivalent”",
        "AMBIVALENT", "Ａｍｂｉｖａｌｅｎｔ", "The person is ambivalent", "Answer: Ambivalent\n",
        "Ambivalent Ambivalent", "`ambivalent`",
    ),
    0: (
        "Non-Ambivalent", "Non ambivalent.", "non‑ambivalent", "Non–Ambivalent", "nonambivalent", "NON - AMBIVALENT",
        "*Non*-Ambivalent", "not ambivalent", "Not\nambivalent", "She isn’t ambivalent", "not an ambivalent answer",
        "Non-Ambivalent. Non-Ambivalent", "not ambivalent: Non-Ambivalent",
    ),
    None: (
        "", "   ", "ambivalent or non-ambivalent", "Non-Ambivalent / Ambivalent", "not non-ambivalent", "unambivalent",
        "She does not seem ambivalent", "neither ambivalent nor hesitant", "not really very ambivalent",
        "never ambivalent", "ambivalence", "矛盾", "Happy", "Non-", "Yes", "0",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "label"), [(text, label) for label, texts in SAID.items() for text in texts])
def test_an_answer_is_parsed(text, label):
    assert parse_answer(text, PAPERS) == label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Yes.", 1),
        ("no", 0),
        ("Oui", 1),
        ("Non-Ambivalent", 0),
        ("None", None),
        ("nothing", None),
        ("yes and no", None),
    ],
)
def test_other_answers_count_only_where_they_are_asked_for(text, label):
    assert parse_answer(text, YES_NO) == label


def test_answers_that_cannot_be_told_apart_are_refused():
    with pytest.raises(ValidationError, match="cannot be told from the other one"):
        Answers(positive="Ambivalent", negative="ambivalent!")
    with pytest.raises(ValidationError, match="cannot be told"):
        Answers(positive="!", negative="No")


PARSED = [1, None, 0, 0, None]


@pytest.mark.parametrize(
    ("policy", "labels"),
    [
        ("as_released", [1, 1, 0, 0, 1]),
        ("positive", [1, 1, 0, 0, 1]),
        ("negative", [1, 0, 0, 0, 0]),
        ("majority", [1, 0, 0, 0, 0]),
        ("drop", [1, None, 0, 0, None]),
        ("score", [1, 1, 0, 0, 0]),
    ],
)
def test_a_policy_decides_what_could_not_be_parsed_and_nothing_else(policy, labels):
    usual = majorities(PARSED, ["val"] * 5, ["a", "b", "c", "d", "e"])
    assert decided(PARSED, policy, [-9.0, 0.1, 9.0, 9.0, -0.1], usual=usual) == labels


def test_a_majority_is_that_of_other_people_of_train_and_val():
    people = ["val_a", "val_a", "val_b", "train_c", "test_d", "test_e", "test_e"]
    splits = [person.partition("_")[0] for person in people]
    #   a person's own two answers do not count for them, and those of test for nobody
    assert majorities([1, 1, 0, 0, 1, 1, None], splits, people) == [0, 0, 1, 1, 0, 0, 0]
    assert majorities([0, 0, 0, 0, 1, 1, None], splits, people) == [0] * 7
    assert majorities([1, None, None, None, 0, 0, None], splits, people) == [None, None, 1, 1, 1, 1, 1]
    assert majorities([1, None], ["test"] * 2, ["a", "b"]) == [None, None]


def test_the_two_released_programs_treat_an_unparsable_answer_in_opposite_ways():
    assert decided([None], "as_released", as_released=1) == [1]
    assert decided([None], "as_released", as_released=0) == [0]


def test_scores_decide_only_where_there_are_some():
    with pytest.raises(WaverError, match="unparsable is score"):
        decided([None], "score")


def test_many_unparsable_answers_end_the_job_unless_scores_decide():
    check_parsable(20, 100, "as_released")
    check_parsable(100, 100, "score")
    check_parsable(0, 0, "drop")
    with pytest.raises(WaverError, match="21 of 100 answers are neither"):
        check_parsable(21, 100, "as_released")
