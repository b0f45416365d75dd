import pytest

from waver.data.consent import Consent, pseudonyms
from waver.errors import WaverError
from waver.store.tables import PARTICIPANTS, write_table


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


def test_pseudonyms_are_a_runs_own():
    people = [str(82553 + number) for number in range(40)]
    one, other = pseudonyms(people, "run a"), pseudonyms(people, "run b")
    assert sorted(one.values()) == [f"P{number:02d}" for number in range(1, 41)]
    assert one == pseudonyms(reversed([*people, *people]), "run a")
    assert one != other
    assert [one[who] for who in people] != sorted(one.values())  # the order of the ids does not show
