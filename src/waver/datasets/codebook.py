"""The annotators' cues: what the codebook lists, and which of it an annotation names.

Neither paper says how several cues stand in one field of the release. Texts are therefore split at commas, semicolons,
bars and line ends, and where that gives no cue, at slashes; lists and tables are read part by part. What is no cue of
the codebook stays in the annotation and counts as nothing; how much that is, ``unlisted`` tells.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CODEBOOK = Path(__file__).parent / "bah/codebook.yaml"
"""Channel -> table of the dataset paper, and its cues."""

CHANNELS = ("facial", "language", "audio", "body", "inconsistencies")
"""What the annotators look at; the last is what does not match."""

PAIRS = {
    "FL": ("face", "language"),
    "FA": ("face", "voice"),
    "FB": ("face", "body"),
    "LA": ("language", "voice"),
    "LB": ("language", "body"),
    "AB": ("voice", "body"),
}
"""Cue of inconsistency -> what does not match (Table 13)."""

MOST_CERTAINTY = 127
"""Greatest certainty of an annotator that the tables hold; neither paper says what its scale is."""

_NO = frozenset({"", "0", "no", "n", "false", "none", "absent", "non", "faux"})
"""What a table may say of a cue that was not seen, in the languages of the recordings."""
_BETWEEN = re.compile(r"[,;|\n+&]")


@cache
def codebook() -> dict[str, tuple[str, ...]]:
    """Channel -> its cues, in the order of the paper's table."""
    table = yaml.safe_load(CODEBOOK.read_text(encoding="utf-8"))
    return {channel: tuple(table[channel]["cues"]) for channel in CHANNELS}


@cache
def cue_names() -> tuple[str, ...]:
    """``<channel>: <cue>`` of every cue of the codebook, in the order of its tables."""
    return tuple(f"{channel}: {cue}" for channel, cues in codebook().items() for cue in cues)


def decode(said: Mapping[str, Any] | None) -> list[str] | None:
    """The codebook's cues that an annotation names, each once, in the order of ``cue_names``.

    Args:
        said: channel -> what the annotator wrote: a text, or a list or table of them; a table names the cues by its
            keys where their values are true, and no text such as "no".

    Returns:
        Of ``cue_names``; None where no cue of the codebook is named.
    """
    found = {name for channel, value in (said or {}).items() for name in _named(str(channel).strip().lower(), value)}
    return [name for name in cue_names() if name in found] or None


def unlisted(annotations: Iterable[str | None]) -> tuple[int, int]:
    """How many texts in the channels of the codebook name none of its cues, and how many there are.

    Args:
        annotations: ``cues`` of rows of SEGMENTS.
    """
    known = [
        decode({channel: text}) is not None
        for said in annotations
        for channel, value in json.loads(said or "{}").items()
        if channel.strip().lower() in CHANNELS
        for text in _written(channel, value)
    ]
    return known.count(False), len(known)


def _written(channel: str, value: Any) -> Iterator[str]:
    """Each text that is to name a cue: of a table the keys, or the values of keys that are no cue."""
    parts = [value]
    while parts:
        part = parts.pop()
        if isinstance(part, str):
            yield from (piece for piece in _BETWEEN.split(part) if not _is_no(piece))
        elif isinstance(part, list | tuple):
            parts += part
        elif isinstance(part, Mapping):
            for key, given in part.items():
                if isinstance(given, str | list | tuple | Mapping) and decode({channel: key}) is None:
                    parts.append(given)
                elif given and not _is_no(given):
                    yield str(key)


def _named(channel: str, value: Any) -> Iterator[str]:
    spelled = _spellings().get(channel, {})
    for text in _texts(value):
        for piece in _BETWEEN.split(text):
            own = spelled.get(_plain(piece))
            yield from [own] if own else filter(None, (spelled.get(_plain(part)) for part in piece.split("/")))


def _texts(value: Any) -> Iterator[str]:
    parts = [value]
    while parts:
        part = parts.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, Mapping):
            yield from (str(key) for key, given in part.items() if given and not _is_no(given))
            parts += part.values()
        elif isinstance(part, list | tuple):
            parts += part


def _is_no(value: Any) -> bool:
    return isinstance(value, str) and value.strip().lower() in _NO


@cache
def _spellings() -> dict[str, dict[str, str]]:
    return {channel: {_plain(cue): f"{channel}: {cue}" for cue in cues} for channel, cues in codebook().items()}


def _plain(text: str) -> str:
    """Letters and digits alone, in small: ``filler_sound`` and ``Filler sound`` are one."""
    return re.sub(r"[^a-z0-9]", "", text.lower())
