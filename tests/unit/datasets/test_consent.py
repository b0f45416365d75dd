import re

import pytest

from waver.datasets.consent import Consent, Statement, decide, pseudonyms
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


def _decided(*said: tuple[str, str]) -> tuple[set[str], list[str]]:
    """Who may be published, and who is listed, after records of (id, answer)."""
    exclusions: list[dict[str, object]] = []
    actual = [Statement(who, who, {"publication": [answer], "challenge": ["no"]}) for who, answer in said]
    consent = decide(actual, [who for who, _ in said], exclusions)
    return set(consent.publication), [str(row["item"]) for row in exclusions]


@pytest.mark.parametrize(
    "answer",
    ["oui", "non", "ja", "n/a", "yes?", "yes.", "1", "1.0", "withdrawn 2024", "yes (withdrawn 2024)", "Ｙｅｓ", "yeѕ",
     "yes\u200b", "yes\tno", "Yes;No", "y", "on"],
)  # fmt: skip
def test_what_is_not_one_plain_yes_is_no_and_listed(answer):
    assert _decided(("80001", answer)) == (set(), ["80001"])


@pytest.mark.parametrize("answer", ["Yes", "TRUE", "yes\u00a0", " true\n"])
def test_a_plain_yes_with_blanks_is_yes(answer):
    assert _decided(("80001", answer)) == ({"80001"}, [])


@pytest.mark.parametrize(
    ("one", "other"),
    [("80001", "80001 (withdrawn)"), ("80001", "80001_Q1"), ("P80001", "80001"), ("80001", "P80001"),
     ("S-12", "S12"), ("ID80001", "id-80001"), ("80001", "８０００１")],
)  # fmt: skip
def test_an_id_that_may_be_meant_takes_a_yes_back(one, other):
    assert _decided((one, "yes"), (other, "no"))[0] == set()


def test_ids_of_other_people_take_nothing_back():
    assert _decided(("A1", "yes"), ("B1", "no"), ("A2", "no"), ("A11", "no"), ("80001", "yes"), ("80002", "no"))[0] == {
        "A1", "80001"
    }  # fmt: skip
