"""What the participants told about themselves, and what they allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from waver.data.aside import Row
from waver.data.yamlfile import read_yaml
from waver.errors import WaverError

AGE_GROUPS = ((18, 24), (25, 34), (35, 44), (45, 54), (55, 64))
"""Years, both ends included; who is older is in ``65+``."""


def read_metadata(path: Path | None) -> dict[str, dict[str, Any]]:
    """Record of each participant as released; empty where there is no file.

    Raises:
        WaverError: the file is not YAML, or no table of participants.
    """
    if path is None:
        return {}
    content = read_yaml(path) or {}
    if not isinstance(content, dict):
        raise WaverError(f"{path} holds no table of participants; copy it again from the release")
    return {str(who).strip(): record for who, record in content.items() if isinstance(record, dict)}


def participant_rows(splits: Iterable[tuple[str, str]], metadata: dict[str, dict[str, Any]]) -> list[Row]:
    """Rows of the participants table, sorted by participant.

    Args:
        splits: participant and split.
        metadata: what ``read_metadata`` gave; who is not in it consented to nothing.
    """
    return [_row(who, split, metadata.get(who, {})) for who, split in sorted(set(splits))]


def _row(who: str, split: str, record: dict[str, Any]) -> Row:
    told = {_plain(name): value for name, value in record.items()}
    age = _age(told.get("age"))
    return {
        "participant": who,
        "split": split,
        "sex": _text(told.get("gender", told.get("sex"))),
        "age": age,
        "age_group": age_group(told.get("agerange"), age),
        "ethnicity": _text(told.get("ethnicitysimplified")),
        "birth_country": _text(told.get("birthcountry")),
        "student": yes_no(told.get("isstudent")),
        "consent_publication": yes_no(told.get("useinpublications")) is True,
        "consent_challenge": yes_no(told.get("useinchallenges")) is True,
    }


def _plain(name: Any) -> str:
    return re.sub(r"[^a-z]", "", str(name).lower())


def _text(value: Any) -> str | None:
    text = str(value).strip() if value is not None else ""
    return text or None


def yes_no(value: Any) -> bool | None:
    """True or False from ``Yes`` or ``No`` (quoted or as YAML's own words); None from anything else."""
    if isinstance(value, bool):
        return value
    return {"yes": True, "no": False}.get(str(value).strip().lower())


def _age(value: Any) -> int | None:
    text = str(value).strip()
    return int(text) if re.fullmatch(r"\d{1,3}", text) else None


def age_group(stated: Any, age: int | None) -> str | None:
    """Age group as in the papers' tables: ``45 - 54 years`` gives ``45-54``, ``Over65`` gives ``65+``.

    Args:
        stated: the released age range.
        age: years, used where no range is stated.
    """
    text = str(stated or "").lower()
    bounds = re.search(r"(\d\d)\s*(?:-|–|to)\s*(\d\d)", text)
    if bounds:
        return f"{bounds[1]}-{bounds[2]}"
    if "65" in text:
        return "65+"
    if age is None or age < AGE_GROUPS[0][0]:
        return None
    return next((f"{low}-{high}" for low, high in AGE_GROUPS if low <= age <= high), "65+")
