"""The annotators' cues: what the codebook lists, and which of it an annotation names.

Neither paper says how several cues stand in one field of the release. Texts are therefore split at commas, semicolons,
bars and line ends, and a part that begins with no cue at slashes, colons and dashes; lists and tables are read part by
part. How a part may spell a cue is in ``waver.datasets.cue_words``. What is no cue of the codebook stays in the
annotation and counts as nothing; how much that is, ``unlisted`` tells.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from waver.datasets.cue_words import cues_at_start, is_denial, joined, other_words, sides, spellings

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

_BETWEEN = {"inconsistencies": re.compile(r"[,;|•\r\n]")}
"""What stands between cues; ``F & L`` is one."""
_BETWEEN_OTHERS = re.compile(r"[,;|•\r\n+&]|\b(?:and|et|then|puis)\b", re.IGNORECASE)
_WITHIN = re.compile(r"[/:=+&]|\s[-–—]\s")
"""Where a part is split that begins with no cue."""
_REMARK = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")


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
    found = {
        f"{channel}: {cue}"
        for name, value in (said or {}).items()
        for channel in _channel(str(name))
        for text in _written(channel, value)
        for cue in _named(channel, text) or ()
    }
    return [name for name in cue_names() if name in found] or None


def unlisted(annotations: Iterable[str | None]) -> tuple[int, int]:
    """How many texts in the channels of the codebook name none of its cues, and how many there are.

    Args:
        annotations: ``cues`` of rows of SEGMENTS.
    """
    counts = unlisted_by_channel(annotations).values()
    return sum(unknown for unknown, _ in counts), sum(every for _, every in counts)


def unlisted_by_channel(annotations: Iterable[str | None]) -> dict[str, tuple[int, int]]:
    """``unlisted`` of each channel, without those that have no text."""
    known = Counter(
        (channel, _named(channel, text) is not None)
        for said in annotations
        for name, value in json.loads(said or "{}").items()
        for channel in _channel(str(name))
        for text in _written(channel, value)
    )
    counts = {channel: (known[channel, False], known[channel, False] + known[channel, True]) for channel in CHANNELS}
    return {channel: count for channel, count in counts.items() if count[1]}


def _written(channel: str, value: Any) -> Iterator[str]:
    """Each text that is to name a cue: of a table the keys, and the values of keys that are no cue."""
    parts = [value]
    while parts:
        part = parts.pop()
        if isinstance(part, str):
            yield from _split(channel, part)
        elif isinstance(part, list | tuple):
            parts += part
        elif isinstance(part, Mapping):
            for key, given in part.items():
                text, nested = isinstance(given, str), isinstance(given, list | tuple | Mapping)
                if not given or (text and is_denial(given)):
                    continue
                named = _named(channel, str(key)) is not None
                if named or not (nested or text):
                    yield str(key)
                if nested or (text and (not named or _named(channel, given))):
                    parts.append(given)


def _split(channel: str, text: str) -> Iterator[str]:
    """Parts of a text, without remarks in brackets where anything is left, and without those that name nothing."""
    plain = _REMARK.sub(lambda remark: remark[0] if is_denial(remark[0]) else " ", text)
    parts = _BETWEEN.get(channel, _BETWEEN_OTHERS).split(text if is_denial(plain) else plain)
    yield from (part for part in parts if not is_denial(part))


def _named(channel: str, text: str) -> list[str] | None:
    """Cues that a text without commas names; None where it is no cue of the channel."""
    spelled = _spellings()[channel]
    found = cues_at_start(text, spelled)
    if found is not None:
        return found
    parts = [cues for part in _WITHIN.split(text) if (cues := cues_at_start(part, spelled)) is not None]
    return [cue for cues in parts for cue in cues] if parts else None


def _channel(name: str) -> tuple[str, ...]:
    """The channel that an annotation calls so; nothing where there is none."""
    own = _channels().get(joined(name))
    return (own,) if own else ()


@cache
def _channels() -> dict[str, str]:
    others = other_words()["channels"]
    return {joined(name): channel for channel in CHANNELS for name in (channel, *others[channel])}


@cache
def _spellings() -> dict[str, dict[str, str]]:
    others = other_words()["cues"] | {"inconsistencies": sides(PAIRS)}
    return {channel: spellings(cues, others[channel]) for channel, cues in codebook().items()}
