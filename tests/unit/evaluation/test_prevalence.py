"""A/H by question and length, and the rule that knows nothing else: values, intervals, and what they may learn from."""

import csv
import re
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from waver.config.sections import EvaluateConfig
from waver.evaluation.prevalence import LabelCount, prevalence_of, told_questions, two_question_rule

CONFIG = EvaluateConfig(bootstrap=200)
RULE = {"folds": 3, "folding": "random"}


def made_answers(people=18, questions=4):
    """No A/H after question 1, and more of it after later ones; the last third of the people is val."""
    rng = np.random.default_rng(3)
    return [
        {"participant": f"82{person:03d}", "split": "val" if person >= 12 else "train", "question": question,
         "label": int(rng.random() < (question - 1) / 4), "words": 20 * question + person, "duration_s": None}
        for person in range(people) for question in range(1, questions + 1)
    ]  # fmt: skip


ANSWERS = made_answers()
MORE = made_answers(people=48)
COUNTS = LabelCount.of_videos(ANSWERS)


def test_shares_by_question_are_those_of_the_labels():
    found = prevalence_of(MORE, CONFIG)
    assert [share.question for share in found.by_question] == [1, 2, 3, 4]
    for share in found.by_question:
        labels = [one["label"] for one in MORE if one["question"] == share.question]
        assert share.value == pytest.approx(sum(labels) / len(labels))
        assert share.low <= share.value <= share.high
    assert found.by_question[0].value == 0
    assert (found.unit, found.people, found.answers) == ("words", 48, 192)
    assert [share.middle for share in found.by_length] == sorted(share.middle for share in found.by_length)


def test_small_groups_and_the_test_split_have_no_share():
    few = [one for one in ANSWERS if one["participant"] in ("82001", "82002")]
    assert prevalence_of(few, CONFIG) is None
    assert prevalence_of(few, EvaluateConfig(bootstrap=200, least_group=2)).people == 2
    assert prevalence_of([{**one, "split": "test"} for one in ANSWERS], CONFIG) is None


def test_a_question_after_which_few_people_showed_it_has_no_share():
    people = [f"{number}" for number in range(20)]
    rows = [
        {"participant": who, "split": "train", "question": question, "label": int(int(who) < shown), "words": 1,
         "duration_s": None}
        for question, shown in ((1, 10), (2, 4), (3, 0), (4, 12)) for who in people
    ]  # fmt: skip
    assert [share.question for share in prevalence_of(rows, CONFIG).by_question] == [3, 4], "1 would tell of 2"
    assert told_questions(rows, 3) == {1, 2, 3, 4}
    assert told_questions(rows[:20] + rows[20:24], 5) == set(), "four people answered 2, and 1 would tell of them"


def test_intervals_follow_the_configs_resamples_and_seed():
    def widths(**config):
        return [share.high - share.low for share in prevalence_of(MORE, EvaluateConfig(**config)).by_question]

    def rule(**config):
        found = two_question_rule(COUNTS, "video", "cv", EvaluateConfig(**config), **RULE)
        return found.value, found.low, found.high

    assert widths(bootstrap=200) == widths(bootstrap=200)
    assert widths(bootstrap=200) != widths(bootstrap=300)
    assert widths(bootstrap=200) != widths(bootstrap=200, seed=1)
    assert rule(bootstrap=200) != rule(bootstrap=300)
    assert rule(bootstrap=200) != rule(bootstrap=200, seed=1)
    assert rule(bootstrap=200)[0] == rule(bootstrap=300, seed=1)[0]


def test_the_rule_learns_nothing_from_those_it_is_scored_on():
    found = two_question_rule(COUNTS, "video", "val", CONFIG, **RULE)
    flipped = [replace(one, positive=one.size - one.positive) if one.split == "val" else one for one in COUNTS]
    assert two_question_rule(flipped, "video", "val", CONFIG, **RULE).questions == found.questions == (3, 4)
    assert two_question_rule(COUNTS, "video", "cv", CONFIG, **RULE).participants == 18
    assert two_question_rule(COUNTS, "video", "cv", CONFIG, folds=0, folding="random") is None
    assert two_question_rule(COUNTS, "video", "test", CONFIG, **RULE) is None
    assert two_question_rule([], "video", "val", CONFIG, **RULE) is None


def public_labels(folder):
    """Rows of the packs' indexes from the public segments; frames between two segments are in neither."""
    packs = []
    for split in ("train", "val"):
        counts = defaultdict(lambda: np.zeros(2, int))
        with open(folder / f"segments_{split}.csv", newline="") as stream:
            for part in csv.DictReader(stream):
                size = int(part["end_frame"]) + 1 - int(part["start_frame"])
                counts[part["video"]] += (size, size * int(part["label"]))
        for name, (frames, positive) in counts.items():
            person, question = re.search(r"Videos/(\d+)/.*_Question_(\d)_", name.replace(" ", "_")).groups()
            packs.append({"participant": person, "split": split, "question": int(question), "frames": int(frames),
                          "positive_frames": int(positive), "labelled": True})  # fmt: skip
    return LabelCount.of_frames(packs)


def test_the_rule_on_the_public_labels(bah_files):
    """Positive after questions 4 and 7: figures worked out apart from this code, with other resamples."""
    counts, config = public_labels(bah_files), EvaluateConfig()
    frame, person = (two_question_rule(counts, level, "val", config, **RULE) for level in ("frame", "participant"))
    assert frame.questions == (4, 7)
    assert (frame.value, frame.low, frame.high) == pytest.approx((0.639, 0.606, 0.673), abs=0.006)
    assert frame.value == pytest.approx(0.639, abs=0.0005)
    assert (person.value, person.participants) == (pytest.approx(0.587, abs=0.0005), 22)
