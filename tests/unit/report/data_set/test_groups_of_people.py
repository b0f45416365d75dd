"""Numbers of people by what they stated: nothing of few of them, by itself or by difference."""

import pytest

from waver.report.data_set.groups import NOT_STATED, OTHER, TOO_FEW, WITHHELD, grouped, people_by_statement


def texts(groups):
    return {group.name: group.text for group in groups}


def test_shares_of_the_release_of_224():
    ages = {"18-24": 49, "25-34": 83, "35-44": 58, "45-54": 20, "55-64": 9, "65+": 5}
    found = texts(grouped(ages, 5))
    assert found["25-34"] == "83 (37.1 %)"
    assert found["35-44"] == "58 (25.9 %)"
    assert found["65+"] == "5 (2.2 %)"
    assert [group.share is None for group in grouped(ages, 6)] == [False, False, False, False, True, True]


@pytest.mark.parametrize(
    ("counts", "hidden"),
    [
        ({"a": 20, "b": 5}, {}),
        ({"a": 20, "b": 4}, {"b": TOO_FEW, "a": WITHHELD}),
        ({"a": 20, "b": 9, "c": 4}, {"c": TOO_FEW, "b": WITHHELD}),
        ({"a": 20, "b": 3, "c": 4}, {"b": TOO_FEW, "c": TOO_FEW}),
        ({"a": 20, "b": 1, "c": 1}, {"b": TOO_FEW, "c": TOO_FEW, "a": WITHHELD}),
        ({"a": 3}, {"a": TOO_FEW}),
        ({"a": 0, "b": 7}, {}),
    ],
)
def test_nothing_follows_about_few_people(counts, hidden):
    found = texts(grouped(counts, 5))
    assert {name: text for name, text in found.items() if text in (TOO_FEW, WITHHELD)} == hidden
    untold = sum(counts[name] for name in hidden)
    assert untold == 0 or untold >= 5 or not set(counts) - set(hidden)
    assert "a" in found or not counts["a"]


def person(**stated):
    empty = dict.fromkeys(("age_group", "sex", "province", "ethnicity", "student"))
    return {**empty, "consent_publication": False, "consent_challenge": True, **stated}


def test_what_people_wrote_themselves_names_no_group():
    people = [person(sex="Female", province="Ontario (ON)") for _ in range(6)]
    people += [person(sex="Male", province="quebec") for _ in range(6)]
    people += [person(sex=f"my own words {number}", province="somewhere") for number in range(5)]
    found = {one.title: texts(one.groups) for one in people_by_statement(people, 5)}
    assert list(found) == ["Sex", "Province", "Consent to publications", "Consent to challenges"]
    assert found["Sex"] == {"Female": "6 (35.3 %)", "Male": "6 (35.3 %)", OTHER: "5 (29.4 %)"}
    assert found["Province"] == {"Ontario": "6 (35.3 %)", "Quebec": "6 (35.3 %)", OTHER: "5 (29.4 %)"}
    assert found["Consent to publications"] == {"no": "17 (100.0 %)"}


def test_one_persons_words_are_not_told_even_where_single_people_are():
    people = [person(sex="Female") for _ in range(6)] + [person(sex="ask me, 514 555 0199")]
    found = {one.title: texts(one.groups) for one in people_by_statement(people, 1)}
    assert found["Sex"] == {"Female": "6 (85.7 %)", OTHER: "1 (14.3 %)"}


def test_who_did_not_answer_stands_last():
    people = [person() for _ in range(9)] + [person(sex="Female", student=True) for _ in range(6)]
    found = {one.title: texts(one.groups) for one in people_by_statement(people, 5)}
    assert list(found["Sex"]) == ["Female", NOT_STATED]
    assert found["Student"] == {"yes": "6 (40.0 %)", NOT_STATED: "9 (60.0 %)"}
    assert "Age group" not in found
