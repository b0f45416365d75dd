import pytest
from bah_tree import person, put

from waver.data.metadata import age_group, participant_rows, read_metadata
from waver.errors import WaverError


def one_row(record):
    return participant_rows([("1", "train")], {"1": record})[0]


@pytest.mark.parametrize(
    ("stated", "age", "group"),
    [
        ("45 - 54 years", 51, "45-54"),
        ("18-24", None, "18-24"),
        ("Over65", None, "65+"),
        ("65 years and over", 70, "65+"),
        (None, 24, "18-24"),
        (None, 65, "65+"),
        (None, 17, None),
        ("", None, None),
    ],
)
def test_age_groups(stated, age, group):
    assert age_group(stated, age) == group


@pytest.mark.parametrize(
    ("answer", "consents"),
    [
        ("Yes", True),
        (True, True),
        (" yes ", True),
        ("No", False),
        (False, False),
        (None, False),
        ("?", False),
        (1, False),
    ],
)
def test_only_yes_is_consent(answer, consents):
    row = one_row(person(publication=answer, challenge=answer))
    assert row["consent_publication"] is consents
    assert row["consent_challenge"] is consents


def test_a_question_that_was_not_asked_is_no_consent():
    record = {key: value for key, value in person().items() if not key.startswith("Use in")}
    assert one_row(record)["consent_publication"] is False
    assert participant_rows([("2", "val")], {})[0]["consent_challenge"] is False


def test_what_is_stated_and_what_is_not():
    row = one_row(person(Gender=None, Age="51", **{"Is student": "Yes"}))
    assert (row["sex"], row["age"], row["age_group"], row["ethnicity"]) == (None, 51, "45-54", "Asian")
    assert row["student"] is True
    assert one_row({"Age": "unknown"})["age"] is None


def test_numbers_as_names_of_participants(tmp_path):
    put(tmp_path / "m.yml", "82553:\n  Age: 30\n'82554':\n  Age: 40\n")
    assert set(read_metadata(tmp_path / "m.yml")) == {"82553", "82554"}


def test_a_broken_file_stops_the_job_with_its_line(tmp_path):
    put(tmp_path / "meta_data.yml", "'82553':\n  Age: 30\n  Gender: [Male\n")
    with pytest.raises(WaverError, match=r"meta_data.yml, line \d"):
        read_metadata(tmp_path / "meta_data.yml")
