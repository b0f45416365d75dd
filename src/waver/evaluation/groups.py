"""Groups of participants for whom scores are shown apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from waver.store.arrays import Array
from waver.store.tables import PARTICIPANTS, read_table

EVERYONE = "all"

_COLUMNS = {"sex": "sex", "age": "age_group"}


def group_names(participants: Path, videos: Iterable[Mapping[str, Any]] = ()) -> dict[str, set[str]]:
    """Participants of every group that the metadata makes: ``sex=...``, ``age=...`` and ``language=...``.

    Args:
        participants: the participants table; who left a question unanswered is in no group of it.
        videos: rows with ``participant`` and ``language`` (code, or None where unknown), one a video.
    """
    rows = read_table(participants, PARTICIPANTS)
    stated = {label: {row["participant"]: row[column] for row in rows} for label, column in _COLUMNS.items()}
    groups: dict[str, set[str]] = {}
    for label, value_of in {**stated, "language": main_languages(videos)}.items():
        for value in sorted(set(value_of.values()) - {None}):
            groups[f"{label}={value}"] = {person for person, own in value_of.items() if own == value}
    return groups


def main_languages(videos: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Language of most of each participant's videos, the first in the alphabet of equally many.

    Args:
        videos: rows with ``participant`` and ``language``; those without a language are passed over.
    """
    spoken: dict[str, Counter[str]] = defaultdict(Counter)
    for row in videos:
        if row["language"]:
            spoken[row["participant"]][row["language"]] += 1
    return {person: min(counts, key=lambda code: (-counts[code], code)) for person, counts in spoken.items()}


def members(groups: dict[str, set[str]], people: Array) -> dict[str, Array]:
    """Who of ``people`` [S] is in each group, bool [S]; everyone first, groups without any left out."""
    found = {EVERYONE: np.ones(len(people), bool)}
    found |= {name: np.array([person in group for person in people], bool) for name, group in groups.items()}
    return {name: flags for name, flags in found.items() if flags.any()}
