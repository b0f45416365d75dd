"""Sentences about excluded and repaired items that may stand in the report.

A reason is written where an item fails, next to what a person wrote in a file, and by readers that others add. The
report takes none of it on trust: a text is shown where it is one of the sentences of ``reasons.yaml``, whose fields
have types without free text, and is replaced where it is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

REASONS = Path(__file__).with_name("reasons.yaml")
OTHER_REASON = "another reason, which is in the table of excluded items"
OTHER_REMEDY = "see the table of excluded items and the job's log"

_FIELD = re.compile(r"\{([a-z]+)(\d*)\}")
_LONGEST = 2000
"""Characters of a text that is looked at; no sentence is longer."""


@dataclass(frozen=True)
class Sentence:
    """A sentence with typed fields.

    Attributes:
        template: as in ``reasons.yaml``.
        pattern: of the texts that it makes.
    """

    template: str
    pattern: re.Pattern[str]

    def shown(self, text: str) -> str | None:
        """The text without its hidden field; None where it is another sentence."""
        found = self.pattern.fullmatch(text)
        if found is None:
            return None
        values = {name: value or "" for name, value in found.groupdict().items()}
        visible = self.template.replace(" ({hidden})", "").replace(": {hidden}", "")
        return _FIELD.sub(lambda field: _value(field[1], values[field[1] + field[2]]), visible)


def _value(kind: str, value: str) -> str:
    return _causes(value) if kind == "cause" else value


def _causes(text: str) -> str:
    """``faces: <reason>; audio: <reason>`` with every reason checked by itself."""
    parts = []
    for part in text.split("; "):
        feature, _, reason = part.partition(": ")
        if re.fullmatch(_known()["types"]["feature"], feature):
            parts.append(f"{feature}: {_one(reason, 'reasons') or OTHER_REASON}")
    return "; ".join(parts)


def shown_reason(text: str) -> str:
    """A reason as the report may show it: itself, or OTHER_REASON.

    Args:
        text: of a table; a place (a table and a line) and a colon may stand before the sentence.
    """
    place, colon, rest = text.partition(": ")
    if colon and re.fullmatch(_known()["types"]["place"], place):
        inner = _one(rest, "reasons")
        if inner is not None:
            return f"{place}: {inner}"
    return _one(text, "reasons") or OTHER_REASON


def shown_remedy(text: str) -> str:
    """A remedy as the report may show it: itself, or OTHER_REMEDY; empty where there is none."""
    return (_one(text, "remedies") or OTHER_REMEDY) if text else ""


def shown_note(text: str) -> str:
    """A note, of whose parts (separated by ``; ``) those are kept that the report may show."""
    return "; ".join(part for one in text.split("; ") if (part := _one(one, "notes")))


def _one(text: str, kind: str) -> str | None:
    if len(text) > _LONGEST:
        return None
    return next((shown for one in _sentences(kind) if (shown := one.shown(text)) is not None), None)


@cache
def _known() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(REASONS.read_text(encoding="utf-8"))
    return loaded


@cache
def _sentences(kind: str) -> tuple[Sentence, ...]:
    types = {**_known()["types"], "hidden": ".*", "cause": ".*"}
    return tuple(Sentence(one, _pattern(one, types.__getitem__)) for one in _known()[kind])


def _pattern(template: str, type_of: Callable[[str], str]) -> re.Pattern[str]:
    pieces, done = [], 0
    for field in _FIELD.finditer(template):
        pieces += [re.escape(template[done : field.start()]), f"(?P<{field[1]}{field[2]}>{type_of(field[1])})"]
        done = field.end()
    return re.compile("".join([*pieces, re.escape(template[done:])]), re.DOTALL)
