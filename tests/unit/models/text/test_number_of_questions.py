"""Models of answers and controls take the number of questions from the data set."""

import numpy as np
import pytest

from waver.datasets.answers import Answer
from waver.datasets.question_context import frame_context, question_one_hot
from waver.datasets.questions import Questions, bah_questions
from waver.records import load, method_config
from waver.registry import ANSWER_MODELS

NINE = Questions(9)


def answers(questions):
    return [
        Answer(f"v{k}", f"p{k}", "train", k % 9 + 1, int(k % 9 > 4), "perhaps I do", 3, 2.0, "en", questions)
        for k in range(36)
    ]


@pytest.mark.parametrize(("name", "inputs"), [("question_prior", "Q"), ("cues", "TQ"), ("cues", "Q")])
def test_every_question_has_a_weight(name, inputs):
    given = answers(NINE)
    model = load(ANSWER_MODELS, name)(inputs, method_config(ANSWER_MODELS, name, {}), 0, None)
    model.fit(given, np.array([answer.label for answer in given], np.uint8), None)
    weights = model.explain()
    assert [f"question {number}" for number in range(1, 10)] == [key for key in weights if key.startswith("question ")]
    margin = model.margin(given, None)
    assert margin[8] > 0 > margin[0]


def test_the_width_is_that_of_the_data_set_whoever_is_asked():
    rows = [{"question": None, "questions": NINE}, {"question": 9, "questions": NINE}]
    assert question_one_hot(rows).tolist() == [[0] * 9, [0] * 8 + [1]]
    assert question_one_hot([{"question": 2}]).shape == (1, bah_questions().count) == (1, 7)
    row = {"question": 1, "words": 3, "duration_s": 2.0, "frames": 48}
    assert frame_context([{**row, "questions": NINE}]).shape == (48, 21)
    assert frame_context([row]).shape == (48, 19)
