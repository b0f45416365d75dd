import re

import pytest

from waver.datasets.consent import Consent, pseudonyms
from waver.errors import WaverError
from waver.io.tables import PARTICIPANTS, write_table


def participant(name, publication, challenge):
    empty = dict.fromkeys(("sex", "age", "age_group", "ethnicity", "birth_country", "student"))
    consent = {"consent_publication": publication, "consent_challenge": challenge}
    return {"participant": name, "split": "train", **empty, **consent}


@pytest.fixture
def consent(tmp_path):
    rows = [participant("1", True, False), participant("2", False, True), participant("3", False, False)]
    write_table(tmp_path / "p.parquet", rows, PARTICIPANTS)
    return Consent.load(tmp_path / "p.parquet")


def test_each_purpose_is_asked_for_itself(consent):
    assert [consent.may(one, "publication") for one in "123"] == [True, False, False]
    assert [consent.may(one, "challenge") for one in "123"] == [False, True, False]


def test_who_is_not_known_did_not_consent(consent):
    assert not consent.may("4", "publication")
    assert not consent.may("4", "challenge")
    assert not Consent().may("1", "publication")


def test_nobody_was_asked_about_other_purposes(consent):
    with pytest.raises(ValueError, match="'marketing'"):
        consent.may("1", "marketing")


def test_a_table_that_is_not_there_gives_no_consent_by_accident(tmp_path):
    with pytest.raises(WaverError, match="cannot be read"):
        Consent.load(tmp_path / "none.parquet")


def test_pseudonyms_are_stable_and_untraceable_without_the_secret():
    people = [str(82553 + number) for number in range(400)]
    one, other = pseudonyms(people, b"secret"), pseudonyms(people, b"another")
    assert len(set(one.values())) == len(people)
    assert all(re.fullmatch("P-[A-Z2-7]{5,}", name) for name in one.values())
    # who else is in the run changes no name
    few = pseudonyms(reversed([*people[:40], *people[:40]]), b"secret")
    assert all(one[who].startswith(name) or name.startswith(one[who]) for who, name in few.items())
    assert not set(one.values()) & set(other.values())
    assert sorted(one, key=one.__getitem__) != sorted(one)  # the order of the ids does not show
