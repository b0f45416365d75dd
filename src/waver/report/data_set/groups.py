"""Numbers of people by what they stated, without what would be about a few of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NOT_STATED, OTHER = "not stated", "other"
TOO_FEW, WITHHELD = "too few", "withheld"
"""What stands for the number of a group of fewer than ``evaluate.least_group`` people, and for that of a group whose
number would give it away."""

PROVINCES = {
    "AB": "Alberta", "BC": "British Columbia", "MB": "Manitoba", "NB": "New Brunswick",
    "NL": "Newfoundland and Labrador", "NS": "Nova Scotia", "NT": "Northwest Territories", "NU": "Nunavut",
    "ON": "Ontario", "PE": "Prince Edward Island", "QC": "Quebec", "SK": "Saskatchewan", "YT": "Yukon",
}  # fmt: skip
"""Code -> province or territory of Canada."""

FEWEST_WRITERS = 5
"""So many people must have written the same before it names a group, however low ``evaluate.least_group`` is."""

_OFFERED = re.compile(rf"[0-9]{{2}}-[0-9]{{2}}|65\+|yes|no|{NOT_STATED}|{OTHER}")
"""Statements that are no words of the person."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Group:
    """People who stated the same.

    Attributes:
        name: what they stated.
        share: of everybody, percent; None where that is not told.
        text: the number with its share, ``TOO_FEW`` or ``WITHHELD``.
    """

    name: str
    share: float | None
    text: str


@dataclass(frozen=True)
class Grouping:
    """Everybody, by one statement.

    Attributes:
        title: what was stated.
        groups: nobody is in two, and together they are everybody.
    """

    title: str
    groups: tuple[Group, ...]


def grouped(counts: Mapping[str, int], least: int) -> tuple[Group, ...]:
    """Groups of people, in the order given; those with nobody are left out.

    Groups of fewer than ``least`` people are not told. Where all that is not told is together fewer than ``least``,
    it follows from the total: then the smallest group that is told is withheld too, as in official statistics.

    Args:
        counts: name -> people, of groups that divide everybody.
        least: ``evaluate.least_group``.
    """
    known = {name: number for name, number in counts.items() if number}
    total = sum(known.values())
    few = {name for name, number in known.items() if number < least}
    hidden = set(few)
    disclosed = sorted(known.keys() - few, key=lambda name: (known[name], name))
    while disclosed and 0 < sum(known[name] for name in hidden) < least:
        hidden.add(disclosed.pop(0))
    return tuple(
        Group(name, None, TOO_FEW if name in few else WITHHELD)
        if name in hidden
        else Group(name, 100 * number / total, f"{number:,} ({100 * number / total:.1f} %)")
        for name, number in known.items()
    )


def people_by_statement(participants: Sequence[Row], least: int) -> list[Grouping]:
    """Everybody by age group, sex, province, ethnicity, being a student, and each consent.

    What people wrote themselves names no group unless ``least`` of them, and FEWEST_WRITERS, wrote the same.

    Args:
        participants: rows of PARTICIPANTS.
        least: ``evaluate.least_group``.
    """
    stated: list[tuple[str, Callable[[Row], str | None]]] = [
        ("Age group", lambda row: row["age_group"]),
        ("Sex", lambda row: row["sex"]),
        ("Province", lambda row: _province(row["province"])),
        ("Ethnicity, simplified", lambda row: row["ethnicity"]),
        ("Student", lambda row: _yes(row["student"])),
        ("Consent to publications", lambda row: _yes(row["consent_publication"])),
        ("Consent to challenges", lambda row: _yes(row["consent_challenge"])),
    ]
    found = [Grouping(title, grouped(_counted(map(of, participants), title, least), least)) for title, of in stated]
    return [one for one in found if any(group.name != NOT_STATED for group in one.groups)]


def _counted(values: Iterable[str | None], title: str, least: int) -> dict[str, int]:
    """Statements by their number, ages in their order; what few people wrote and no answer stand last."""
    counts = Counter(NOT_STATED if value is None else value for value in values)
    if title != "Province":
        fewest = max(least, FEWEST_WRITERS)
        rare = [name for name, number in counts.items() if number < fewest and not _OFFERED.fullmatch(name)]
        counts[OTHER] = sum(counts.pop(name) for name in rare)
    last = {name: counts.pop(name, 0) for name in (OTHER, NOT_STATED)}
    order = sorted(counts) if title == "Age group" else sorted(counts, key=lambda name: (-counts[name], name))
    return {name: counts[name] for name in order} | last


def _province(stated: str | None) -> str | None:
    """Name of the province in ``Ontario (ON)``, ``Ontario`` or ``ON``."""
    if stated is None:
        return None
    text = stated.strip().lower()
    return next(
        (name for code, name in PROVINCES.items() if text in (code.lower(), name.lower(), f"{name} ({code})".lower())),
        OTHER,
    )


def _yes(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"
