"""What the participants told about themselves, and what they allowed.

Keys and values are taken as the text that stands in the file: YAML would make other numbers of ids (``0123`` is octal,
``22:13:21`` sexagesimal), and keep the last of two records of one participant.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from typing import Any

from waver.datasets.bah.release_yaml import parse_entries, read_text
from waver.datasets.bah.yaml_values import Pairs
from waver.datasets.consent import PURPOSES, Purpose, Statement, decide, yes_no
from waver.datasets.exclusions import Row, exclusion_row
from waver.datasets.text_files import UNREADABLE
from waver.errors import WaverError

AGE_GROUPS = ((18, 24), (25, 34), (35, 44), (45, 54), (55, 64))
"""Years, both ends included; who is older is in ``65+``."""

_FIELDS: dict[str, Purpose] = {"useinpublications": "publication", "useinchallenges": "challenge"}
_STEMS: dict[Purpose, tuple[str, ...]] = {"publication": ("publica", "publish"), "challenge": ("challenge",)}
_TAKEN_BACK = re.compile(r"withdr|revok|retract|rescind|optout")
"""Names of fields that say whether somebody has withdrawn: unless they say no, every consent is in doubt."""
_NEAR = 0.85
"""Share of letters in order in which a field's name is nearly another one."""
_UNREADABLE_NAME = "?"
_NO_TEXT = "(no text)"
_SAVE_AGAIN = "save it in UTF-8, or copy it again from the release"
_NOT_UTF_8 = "(not UTF-8)"


@dataclass(frozen=True)
class Record:
    """What the file says of one participant.

    Attributes:
        participant: participant id.
        fields: name in small letters without anything else, and text, as often as the file has it.
    """

    participant: str
    fields: tuple[tuple[str, str], ...] = ()

    def text(self, *names: str) -> str | None:
        """Text of the first of some fields that is there; None where it is empty, no text, or given in two ways."""
        given = [[text for field, text in self.fields if field == name] for name in names]
        texts = next((found for found in given if found), [])
        return texts[0] or None if len(set(texts)) == 1 and texts[0] not in (_NO_TEXT, _NOT_UTF_8) else None


def read_metadata(path: Path | None) -> list[Record]:
    """Records of the participants as released; empty where there is no file.

    Raises:
        WaverError: the file is not YAML, or no table of participants.
    """
    if path is None:
        return []
    content = parse_entries(read_text(path), path, texts=True)
    if not content:
        return []
    if not isinstance(content, Pairs):
        raise WaverError(f"{path} holds no table of participants; copy it again from the release")
    # an entry that cannot be read has no fields: its participant has allowed nothing
    return [Record(who.strip(), tuple(_fields(record))) for who, record in content if isinstance(who, str)]


def _fields(record: Any, table: str = "") -> Iterator[tuple[str, str]]:
    """Fields, of tables within the record too: their names begin with that of the table."""
    for name, value in record if isinstance(record, Pairs) else ():
        plain = table + (_plain(name) if isinstance(name, str) else _UNREADABLE_NAME)
        yield plain, _text(value)
        if not table:  # a table in a table is no field, and aliases make many of them
            yield from _fields(value, f"{plain}/")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return _NOT_UTF_8 if UNREADABLE in value else value.strip()
    return _NO_TEXT


def participant_rows(splits: Iterable[tuple[str, str]], records: Sequence[Record], exclusions: list[Row]) -> list[Row]:
    """Rows of the participants table, sorted by participant.

    Args:
        splits: participant and split.
        records: what ``read_metadata`` gave; who is not in it, or is there twice, consented to nothing.
        exclusions: gets a row for each consent that is not plain (``waver.datasets.consent.decide``).
    """
    listed = sorted(set(splits))
    times = Counter(record.participant for record in records)
    statements = [_statement(record, times[record.participant] > 1) for record in records]
    consent = decide(statements, (who for who, _ in listed), exclusions)
    known = {record.participant: record for record in records if times[record.participant] == 1}
    remedy = "keep one record for each participant"
    excluded = {row["participant"] for row in exclusions}
    for who in (who for who, _ in listed if times[who] > 1 and who not in excluded):
        exclusions.append(exclusion_row(who, "it has several records in the metadata, and none is used", remedy, who))
    for who in (who for who, _ in listed if any(text == _NOT_UTF_8 for _, text in known.get(who, Record(who)).fields)):
        reason, remedy = "a value of its metadata is not UTF-8 text and is left out", _SAVE_AGAIN
        exclusions.append(exclusion_row(who, reason, remedy, who))
    return [
        {
            **_row(known.get(who, Record(who)), split),
            "consent_publication": consent.may(who, "publication"),
            "consent_challenge": consent.may(who, "challenge"),
        }
        for who, split in listed
    ]


def _statement(record: Record, repeated: bool) -> Statement:
    """A record that is there twice says nothing plain, whatever both say."""
    answers: dict[Purpose, list[str]] = {}
    for name, text in record.fields:
        withdrawn = _TAKEN_BACK.search(name) and text and yes_no(text) is not False
        for purpose in PURPOSES if withdrawn else _purposes(name):
            # what stands under a name that is nearly the field's says nothing plain either
            answers.setdefault(purpose, []).extend([text] * (2 if repeated or name not in _FIELDS else 1))
    return Statement(record.participant, record.participant, answers)


@cache
def _purposes(name: str) -> tuple[Purpose, ...]:
    """Purposes that a field may be about, by its name."""
    if name in _FIELDS:
        return (_FIELDS[name],)
    last = name.rpartition("/")[2]
    return tuple(
        purpose
        for field, purpose in _FIELDS.items()
        if last == _UNREADABLE_NAME
        or any(stem in last for stem in _STEMS[purpose])
        or SequenceMatcher(None, last[:100], field, autojunk=False).ratio() >= _NEAR
    )


def _row(record: Record, split: str) -> Row:
    age = _age(record.text("age"))
    return {
        "participant": record.participant,
        "split": split,
        "sex": record.text("gender", "sex"),
        "age": age,
        "age_group": age_group(record.text("agerange"), age),
        "ethnicity": record.text("ethnicitysimplified"),
        "ethnicity_stated": record.text("ethnicity"),
        "province": record.text("canadaprovince", "province"),
        "birth_country": record.text("birthcountry"),
        "student": yes_no(record.text("isstudent") or ""),
    }


def _plain(name: str) -> str:
    if UNREADABLE in name:
        return _UNREADABLE_NAME
    return re.sub(r"[^a-z]", "", unicodedata.normalize("NFKD", name).lower())


def _age(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"[0-9]{1,3}", text) else None


def age_group(stated: str | None, age: int | None) -> str | None:
    """Age group as in the papers' tables: ``45 - 54 years`` gives ``45-54``, ``Over65`` gives ``65+``.

    Args:
        stated: the released age range.
        age: years, used where no range is stated.
    """
    text = (stated or "").lower()
    bounds = re.search(r"([0-9]{2})\s*(?:-|–|to)\s*([0-9]{2})", text)
    if bounds:
        return f"{bounds[1]}-{bounds[2]}"
    if "65" in text:
        return "65+"
    if age is None or age < AGE_GROUPS[0][0]:
        return None
    return next((f"{low}-{high}" for low, high in AGE_GROUPS if low <= age <= high), "65+")
