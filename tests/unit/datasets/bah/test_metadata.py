import pytest
import yaml
from bah_tree import person, put

from waver.datasets.bah.metadata import age_group, participant_rows, read_metadata
from waver.errors import WaverError


@pytest.fixture
def rows(tmp_path):
    """Rows of participants, and reasons of what is listed, for the text or the records of a file."""

    def read(content, *participants):
        text = content if isinstance(content, str) else yaml.dump(content)
        put(tmp_path / "meta_data.yml", text)
        exclusions = []
        table = participant_rows(
            [(who, "train") for who in participants], read_metadata(tmp_path / "meta_data.yml"), exclusions
        )
        return {row["participant"]: row for row in table}, [(row["participant"], row["reason"]) for row in exclusions]

    return read


@pytest.fixture
def one_row(rows):
    return lambda record: rows({"1": record}, "1")[0]["1"]


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
def test_only_yes_is_consent(one_row, answer, consents):
    row = one_row(person(publication=answer, challenge=answer))
    assert row["consent_publication"] is consents
    assert row["consent_challenge"] is consents


def test_a_question_that_was_not_asked_is_no_consent(one_row):
    record = {key: value for key, value in person().items() if not key.startswith("Use in")}
    assert one_row(record)["consent_publication"] is False
    assert participant_rows([("2", "val")], [], [])[0]["consent_challenge"] is False


def test_what_is_stated_and_what_is_not(one_row):
    stated = {"Is student": "Yes", "Canada province": "Ontario (ON)", "Ethnicity": "East Asian (Chinese, Korean)"}
    row = one_row(person(Gender=None, Age="51", **stated))
    assert (row["sex"], row["age"], row["age_group"], row["ethnicity"]) == (None, 51, "45-54", "Asian")
    assert (row["province"], row["ethnicity_stated"]) == ("Ontario (ON)", "East Asian (Chinese, Korean)")
    assert row["student"] is True
    assert one_row({"Age": "unknown"})["age"] is None


def test_numbers_as_names_of_participants(tmp_path):
    put(tmp_path / "m.yml", "82553:\n  Age: 30\n'82554':\n  Age: 40\n")
    assert [one.participant for one in read_metadata(tmp_path / "m.yml")] == ["82553", "82554"]


UNQUOTED = {"0123": "83", "8_0_001": "80001", "22:13:21": "80001", "0x13881": "80001", "8e4": "80000.0",
            "80001.0": "80001", "0b101": "5", "1_0": "10",
            "on": "True", "2024-05-01": "2024-05-01 00:00:00"}  # fmt: skip


@pytest.mark.parametrize(("written", "another"), UNQUOTED.items(), ids=UNQUOTED)
def test_an_id_is_the_text_of_the_file_and_nobody_elses(rows, written, another):
    table, _ = rows(f"{written}:\n  Use in publications: Yes\n", written, another)
    assert [table[one]["consent_publication"] for one in dict.fromkeys((written, another))] == (
        [True, False] if written != another else [True]
    )


ANSWER = "  Use in publications: {}\n"
TWICE = {
    "a key twice": "'80001':\n{yes}'80001':\n{no}",
    "the yes last": "'80001':\n{no}'80001':\n{yes}",
    "quoted and not": "80001:\n{no}'80001':\n{yes}",
    "yes twice": "80001:\n{yes}'80001':\n{yes}",
    "blanks": "' 80001 ':\n{no}'80001':\n{yes}",
    "leading zeros": "'080001':\n{no}'80001':\n{yes}",
    "another script": "'８０００１':\n{no}'80001':\n{yes}",
    "Arabic digits": "'٨٠٠٠١':\n{no}'80001':\n{yes}",
    "a blank inside": "'80 001':\n{no}'80001':\n{yes}",
    "no width": "\"80\\u200b001\":\n{no}'80001':\n{yes}",
    "underscores": "8_0_001:\n{no}'80001':\n{yes}",
    "hyphens": "'80-001':\n{no}'80001':\n{yes}",
    "a mark before": "'#80001':\n{no}'80001':\n{yes}",
    "a stop after": "'80001.':\n{no}'80001':\n{yes}",
    "thousands": "'80,001':\n{no}'80001':\n{yes}",
    "a spreadsheet's number": "80001.0:\n{no}'80001':\n{yes}",
    "a letter for a digit": "'8O0O1':\n{no}'80001':\n{yes}",
    "letters before": "P80001:\n{no}'80001':\n{yes}",
    "a spreadsheet's power": "8.0001E+04:\n{no}'80001':\n{yes}",
    "taken back": "'80001':\n{yes}  Withdrawn: 2025-01-03\n",
    "revoked": "'80001':\n{yes}  Consent revoked: Yes\n",
    "no braces": "'(80001)':\n{no}'80001':\n{yes}",
    "nothing of the other": "'080001':\n  Age: 30\n'80001':\n{yes}",
    "two answers in a record": "'80001':\n{yes}{no}",
    "two spellings in a record": "'80001':\n{yes}  use-in-publications: no\n",
    "another question of nearly its name": "'80001':\n{yes}  Use in publication: No\n",
    "a letter missing": "'80001':\n{yes}  Use in pubications: No\n",
    "letters changed": "'80001':\n{yes}  Use in pulbications: No\n",
    "an accent": "'80001':\n{yes}  Us\u00e9 in publications: No\n",
    "a letter of another script": "'80001':\n{yes}  \u0055s\u0435 in publications: No\n",
    "a longer name": "'80001':\n{yes}  Use in scientific publications: No\n",
    "nearly its name alone": "'80001':\n  Use in publication: Yes\n",
    "nearly its name, and nothing": "'80001':\n{yes}  Use in publication:\n",
    "a list for a name": "'80001':\n{yes}  [Use in publications]: No\n",
    "in a table of its own": "'80001':\n{yes}  Consent:\n    Use in publications: No\n",
    "a list": "'80001':\n  Use in publications: [Yes]\n",
    "no record": "'80001': Yes\n",
    "merged from elsewhere": "x: &x\n{yes}'80001':\n  <<: *x\n",
}


@pytest.mark.parametrize("text", TWICE.values(), ids=TWICE)
def test_what_is_not_one_plain_yes_is_no(rows, text):
    yes, no = ANSWER.format("Yes"), ANSWER.format("No")
    table, listed = rows(text.format(yes=yes, no=no), "80001")
    assert table["80001"]["consent_publication"] is False
    assert {who for who, _ in listed} == ({"80001"} if text != TWICE["no record"] else set())


def test_near_ids_with_one_answer_keep_it(rows):
    table, listed = rows(
        "'080001':\n  Use in publications: TRUE\n80001:\n  Use in publications: ' yes '\n", "80001", "080001"
    )
    assert [row["consent_publication"] for row in table.values()] == [True, True]
    assert listed == []


@pytest.mark.parametrize(("one", "other"), [("1-11", "11-1"), ("80001", "80011"), ("1.10", "1.1"), ("P1", "1")])
def test_ids_that_differ_keep_their_own_answers(rows, one, other):
    text = f"'{one}':\n  Use in publications: Yes\n'{other}':\n  Use in publications: No\n"
    table, listed = rows(text, one, other)
    assert [table[who]["consent_publication"] for who in (one, other)] == [True, False]
    assert listed == []


def test_fields_of_other_names_say_nothing_of_consent(rows):
    fields = "  Use in publications: Yes\n  Use in challenges: No\n  User: No\n  Withdrawn: No\n  Retired: Yes\n"
    table, listed = rows(f"'80001':\n{fields}", "80001")
    assert (table["80001"]["consent_publication"], table["80001"]["consent_challenge"]) == (True, False)
    assert listed == []


@pytest.mark.parametrize("answer", ["y", "on", "1", "ja", "Yes please", "yes/no", "да", "Jane Doe 0123"])
def test_other_values_are_no_and_listed_without_the_value(rows, answer):
    table, listed = rows(f"80001:\n  Use in publications: {answer}\n  Use in challenges: YES\n", "80001")
    assert table["80001"]["consent_publication"] is False
    assert table["80001"]["consent_challenge"] is True
    assert listed == [("80001", "its consent to publication is not one plain yes or no and counts as no")]


def test_a_broken_file_stops_the_job_with_its_line(tmp_path):
    put(tmp_path / "meta_data.yml", "'82553':\n  Age: 30\n  Gender: [Male\n")
    with pytest.raises(WaverError, match=r"meta_data.yml, line \d"):
        read_metadata(tmp_path / "meta_data.yml")


def test_an_entry_in_quotes_beside_a_damaged_one_costs_only_itself(rows):
    """Found by the fuzz test: of a text where an entry was expected its letters were taken for entries."""
    sound = ("80001", "80003", "80004")
    message = "".join(f"'{who}':\n  Use in publications: Yes\n" for who in sound)
    table, _ = rows(f"'a: b:\n c'\n{message}'80002':\n  Use in publications: 'Yes\n", *sound, "80002")
    assert {who for who, row in table.items() if row["consent_publication"]} == set(sound)
