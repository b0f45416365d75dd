"""Groups of participants with separate scores."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from waver.datasets.languages import ISO_639_1
from waver.io.tables import PARTICIPANTS, read_table
from waver.io.zarr_store import Array

EVERYONE = "all"

OTHER = "other"
"""Group of all whose statement is none of the known ones: what people wrote themselves names no group."""

_SEXES = {"female": "Female", "woman": "Female", "f": "Female", "male": "Male", "man": "Male", "m": "Male"}
_AGE_GROUP = re.compile(r"[0-9]{2}-[0-9]{2}|65\+")


def group_names(participants: Path, videos: Iterable[Mapping[str, Any]] = ()) -> dict[str, set[str]]:
    """Participants of every group that the metadata makes: ``sex=...``, ``age=...`` and ``language=...``.

    Args:
        participants: the participants table; who left a question unanswered is in no group of it.
        videos: rows with ``participant`` and ``language`` (code, or None where unknown), one a video.
    """
    rows = read_table(participants, PARTICIPANTS)
    stated: dict[str, dict[str, str | None]] = {
        "sex": {row["participant"]: _sex(row["sex"]) for row in rows},
        "age": {row["participant"]: _age_group(row["age_group"]) for row in rows},
        "language": {who: code if code in ISO_639_1 else OTHER for who, code in main_languages(videos).items()},
    }
    groups: dict[str, set[str]] = {}
    for label, value_of in stated.items():
        for value in sorted({value for value in value_of.values() if value is not None}):
            groups[f"{label}={value}"] = {person for person, own in value_of.items() if own == value}
    return groups


def _sex(text: str | None) -> str | None:
    return None if text is None else _SEXES.get(text.strip().lower(), OTHER)


def _age_group(text: str | None) -> str | None:
    return text if text is None or _AGE_GROUP.fullmatch(text) else OTHER


def main_languages(videos: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Language of most of each participant's videos, the first in the alphabet of equally many.

    Args:
        videos: rows with ``participant`` and ``language``; those without a language are ignored.
    """
    spoken: dict[str, Counter[str]] = defaultdict(Counter)
    for row in videos:
        if row["language"]:
            spoken[row["participant"]][row["language"]] += 1
    return {person: min(counts, key=lambda code: (-counts[code], code)) for person, counts in spoken.items()}


def members(groups: dict[str, set[str]], people: Array) -> dict[str, Array]:
    """Who of ``people`` [S] is in each group, bool [S]; everyone first, without empty groups."""
    found = {EVERYONE: np.ones(len(people), bool)}
    found |= {name: np.array([person in group for person in people], bool) for name, group in groups.items()}
    return {name: flags for name, flags in found.items() if flags.any()}
