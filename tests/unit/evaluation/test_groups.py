"""Groups of participants, the language of their answers among them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from waver.evaluation.groups import group_names, main_languages, members
from waver.io.tables import PARTICIPANTS, read_table, write_table


@pytest.fixture
def participants(tmp_path: Path) -> Path:
    unknown = dict.fromkeys(PARTICIPANTS.names)
    known = {"split": "train", "consent_publication": False, "consent_challenge": False}
    rows = [
        {**unknown, **known, "participant": name, "sex": sex, "age_group": age}
        for name, sex, age in (("a", "Female", "25-34"), ("b", "Male", None), ("c", None, "25-34"))
    ]
    write_table(tmp_path / "participants.parquet", rows, PARTICIPANTS)
    return tmp_path / "participants.parquet"


def _videos(*spoken: tuple[str, str | None]) -> list[dict[str, str | None]]:
    return [{"participant": person, "language": language} for person, language in spoken]


def test_metadata_makes_groups(participants: Path) -> None:
    assert group_names(participants) == {"sex=Female": {"a"}, "sex=Male": {"b"}, "age=25-34": {"a", "c"}}


def test_language_of_most_videos() -> None:
    videos = _videos(("a", "fr"), ("a", "en"), ("a", "fr"), ("b", "fr"), ("b", "en"), ("c", None), ("d", "en"))
    assert main_languages(videos) == {"a": "fr", "b": "en", "d": "en"}


def test_language_makes_groups(participants: Path) -> None:
    groups = group_names(participants, _videos(("a", "fr"), ("b", "en"), ("c", "en"), ("c", None)))
    assert groups["language=en"] == {"b", "c"}
    assert groups["language=fr"] == {"a"}
    assert groups["sex=Female"] == {"a"}


def test_members_leave_out_who_is_not_there() -> None:
    found = members({"language=en": {"b", "c"}, "language=fr": {"a"}}, np.array(["b", "x"]))
    assert list(found) == ["all", "language=en"]
    np.testing.assert_array_equal(found["language=en"], [True, False])


def test_what_people_wrote_themselves_names_no_group(participants: Path) -> None:
    rows = read_table(participants, PARTICIPANTS)
    said = [("male ", "25-34"), ("call me Jane, 514 555 0199", "Jane"), ("F", "٢٥-٣٤")]
    changed = [{**row, "sex": sex, "age_group": age} for row, (sex, age) in zip(rows, said, strict=True)]
    write_table(participants, changed, PARTICIPANTS)
    assert group_names(participants, _videos(("a", "jd"), ("b", "fr"))) == {
        "sex=Male": {"a"}, "sex=other": {"b"}, "sex=Female": {"c"},
        "age=25-34": {"a"}, "age=other": {"b", "c"}, "language=other": {"a"}, "language=fr": {"b"},
    }  # fmt: skip
