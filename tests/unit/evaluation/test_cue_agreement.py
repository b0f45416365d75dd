"""Precision of cues at segments, and chance: counts by hand, chance by brute force, nothing of few people."""

from itertools import permutations

import numpy as np
import pytest

from waver.config.sections import EvaluateConfig
from waver.evaluation.cue_agreement import ALL, CUE_SCORES, Segment, Source, cue_scores
from waver.io.tables import read_table, write_table

CHANNELS = {"Slow": "audio", "Smile": "facial", "Hedging": "language"}
EVERY = set(CHANNELS)
SOURCE = Source("textualisation", "", "all", 0)
WITHHELD = CUE_SCORES.names[CUE_SCORES.names.index("participants") :]


def scores(segments, least=1, **changed):
    config = EvaluateConfig(bootstrap=200, least_group=least, **changed)
    return {row["cue"]: row for row in cue_scores(segments, CHANNELS, SOURCE, config)}


def test_precision_and_recall_are_of_segments():
    seen = [
        Segment("a", 1, {"Slow", "Smile"}, {"Slow"}, EVERY),
        Segment("a", 2, {"Slow"}, {"Smile"}, EVERY),
        Segment("b", 1, {"Smile"}, {"Slow", "Smile"}, EVERY),
    ]
    found = scores(seen)
    slow = found["Slow"]
    assert (slow["segments"], slow["annotated"], slow["found"], slow["both"]) == (3, 2, 2, 1)
    assert (slow["precision"], slow["recall"], slow["participants"]) == (0.5, 0.5, 2)
    assert found["Smile"]["recall"] == 0.5
    assert (found["Hedging"]["precision"], found["Hedging"]["gain_low"]) == (None, None)
    every = found[ALL]
    assert (every["annotated"], every["found"], every["both"], every["precision"]) == (4, 4, 2, 0.5)


def test_a_cue_that_cannot_be_found_somewhere_is_not_missed_there():
    seen = [Segment("a", 1, {"Slow"}, set(), {"Smile"}), Segment("b", 1, {"Slow"}, {"Slow"}, EVERY)]
    assert scores(seen)["Slow"]["segments"] == 1
    assert scores(seen)["Slow"]["recall"] == 1.0


def test_counts_of_few_people_are_withheld_and_do_not_follow_from_the_line_of_all():
    seen = [Segment(person, 1, {"Slow"}, {"Slow"}, EVERY) for person in "aabb"]
    rows = scores(seen, least=3)
    assert {row[name] for row in rows.values() for name in WITHHELD} == {None}
    rows = scores([*seen, Segment("c", 1, {"Smile"}, {"Smile"}, EVERY)], least=2)
    assert rows["Slow"]["both"] == 4
    assert rows["Smile"]["both"] is None
    assert (rows[ALL]["both"], rows[ALL]["annotated"], rows[ALL]["participants"]) == (4, 4, 2)


def test_the_number_of_segments_of_few_people_is_withheld():
    seen = [Segment(person, 1, {"Slow"}, {"Slow"}, EVERY if person == "a" else {"Slow"}) for person in "aabb"]
    assert {row["segments"] for row in scores(seen, least=3).values()} == {None, 0}
    rows = scores(seen, least=2)
    assert {cue: row["segments"] for cue, row in rows.items()} == {ALL: 4, "Slow": 4, "Smile": None, "Hedging": None}


def test_what_is_withheld_does_not_follow_from_the_rest_where_each_segment_has_one():
    """Segments less those of the other cues would be those of the only cue that is withheld."""
    seen = [Segment(person, 1, {cue}, {cue}, EVERY) for person in "abc" for cue in ("Slow", "Smile")]
    seen += [Segment("d", 1, {"Smile"}, {"Smile"}, EVERY), Segment("a", 1, {"Hedging"}, {"Hedging"}, EVERY)]
    config = EvaluateConfig(bootstrap=200, least_group=2)

    def told(segments, one_each):
        rows = cue_scores(segments, CHANNELS, SOURCE, config, one_each)
        return {row["cue"] for row in rows if row["found"] is not None}

    assert told(seen, False) == {ALL, "Slow", "Smile"}
    assert told(seen, True) == {ALL, "Smile"}
    assert told(seen[:-1], True) == {ALL, "Slow", "Smile"}, "of a cue that nobody shows there is nothing to withhold"


def shuffled(segments, group):
    """Mean precision over all ways to deal out the annotations of ``Slow`` within groups, one by one."""
    groups = sorted({group(one) for one in segments})
    both = 0.0
    for name in groups:
        inside = [one for one in segments if group(one) == name]
        annotated = [("Slow" in one.annotated) for one in inside]
        orders = list(permutations(annotated))
        both += np.mean([sum(a and "Slow" in one.found for a, one in zip(order, inside, strict=True))
                         for order in orders])  # fmt: skip
    return both / sum("Slow" in one.found for one in segments)


def test_chance_is_the_mean_over_all_permutations_within_question_and_person():
    rng = np.random.default_rng(3)
    seen = [
        Segment(person, question, {"Slow"} if rng.random() < 0.5 else {"Smile"},
                {"Slow"} if rng.random() < 0.6 else set(), EVERY)
        for person in "abcd" for question in (1, 2, 2, 7)
    ]  # fmt: skip
    row = scores(seen)["Slow"]
    assert row["chance"] == pytest.approx(shuffled(seen, lambda one: one.question))
    assert row["chance_of_person"] == pytest.approx(shuffled(seen, lambda one: one.participant))
    assert row["gain"] == pytest.approx(row["precision"] - max(row["chance"], row["chance_of_person"]))


@pytest.mark.parametrize("habit", ["question", "person"])
def test_what_a_question_or_a_person_always_shows_is_no_gain(habit):
    """Found exactly where annotated, but wholly by habit; with some segments that break the habit there is a gain."""
    people, questions = "abcdefgh", range(1, 7)

    def seen(person, question):
        return question % 2 == 0 if habit == "question" else person in "aceg"

    segments = [
        Segment(person, question, *([{"Slow"} if seen(person, question) else {"Smile"}] * 2), EVERY)
        for person in people for question in questions
    ]  # fmt: skip
    row = scores(segments)["Slow"]
    assert (row["precision"], row["gain"]) == (1.0, 0.0)
    breaks = np.random.default_rng(0).random(len(segments)) < 0.3
    real = [one._replace(annotated={"Slow"}, found={"Slow"}) if broken else one
            for one, broken in zip(segments, breaks, strict=True)]  # fmt: skip
    row = scores(real)["Slow"]
    assert row["gain_low"] > 0


def test_unknown_questions_are_one_group_and_no_segments_are_no_error(tmp_path):
    row = scores([Segment(person, None, {"Slow"}, {"Slow"}, EVERY) for person in "ab"])["Slow"]
    assert (row["chance"], row["precision"]) == (1.0, 1.0)
    rows = scores([])
    assert rows[ALL]["segments"] == 0
    write_table(tmp_path / "cues.parquet", rows.values(), CUE_SCORES)
    assert len(read_table(tmp_path / "cues.parquet", CUE_SCORES)) == 4


def test_the_segments_in_which_a_cue_cannot_be_found_are_not_of_few_people_either():
    seen = [
        Segment(person, 1, {"Slow"}, {"Slow"}, {"Slow"} if person == "a" else EVERY)
        for person in "abcdef"
        for _ in "12"
    ]
    rows = scores(seen, least=5)
    assert (rows["Slow"]["segments"], rows["Smile"]["segments"]) == (12, None)
