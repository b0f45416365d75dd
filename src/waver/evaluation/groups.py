"""Groups of participants for whom scores are shown apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from waver.store.arrays import Array
from waver.store.tables import PARTICIPANTS, read_table

EVERYONE = "all"

_COLUMNS = {"sex": "sex", "age": "age_group"}


def group_names(participants: Path) -> dict[str, set[str]]:
    """Participants of every group that the metadata makes: ``sex=...`` and ``age=...``.

    Args:
        participants: the participants table; who left a question unanswered is in no group of it.
    """
    rows = read_table(participants, PARTICIPANTS)
    groups: dict[str, set[str]] = {}
    for label, column in _COLUMNS.items():
        for value in sorted({row[column] for row in rows} - {None}):
            groups[f"{label}={value}"] = {row["participant"] for row in rows if row[column] == value}
    return groups


def members(groups: dict[str, set[str]], people: Array) -> dict[str, Array]:
    """Who of ``people`` [S] is in each group, bool [S]; everyone first, groups without any left out."""
    found = {EVERYONE: np.ones(len(people), bool)}
    found |= {name: np.array([person in group for person in people], bool) for name, group in groups.items()}
    return {name: flags for name, flags in found.items() if flags.any()}
