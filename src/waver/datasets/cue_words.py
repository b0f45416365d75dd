"""Words of an annotator's text, and which cues of a channel they name, however they are spelt.

Letters are compared without case, accents and the endings of plurals; a cue is found as words in their order, however
these are joined. So ``Eye-Roll``, ``eyerolls`` and ``eye  roll`` are one. A text names the cues that it begins with,
one after the other; the rest is a remark.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import yaml

WORDS = Path(__file__).parent / "bah/cue_words.yaml"
"""Other words for channels and cues, and words that change or deny what is named."""

_MOST_WORDS = 5
"""Of one cue."""
_WORD = re.compile(r"[^\W\d_]+|\d+")
_ES = re.compile(r"(?<=ss|sh|ch)es$")
_Y = re.compile(r"(?<=..)ies$")


@cache
def other_words() -> dict[str, Any]:
    """What the file of words holds."""
    loaded: dict[str, Any] = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    return loaded


def joined(name: str) -> str:
    """A name of a channel as one word: ``Facial cues`` is ``facial``."""
    return "".join(word for word in _words(name) if word != "cue")


def _plain_words(text: str) -> list[str]:
    return [word for word in _words(text) if word not in _word_set("passed")]


def _words(text: str) -> list[str]:
    """Words and numbers of a text in small letters, without accents and plurals."""
    letters = unicodedata.normalize("NFKD", text.replace("œ", "oe").replace("Œ", "OE").casefold())
    return [_singular(word) for word in _WORD.findall("".join(c for c in letters if not unicodedata.combining(c)))]


def _singular(word: str) -> str:
    return _Y.sub("y", _ES.sub("", word)).rstrip("s") or word


@cache
def _word_set(name: str) -> frozenset[str]:
    return frozenset(word for text in other_words()[name] for word in _words(text))


def spellings(cues: Iterable[str], others: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Joined words -> the cue that they name; a cue's own name goes before another's other words."""
    table = {"".join(_plain_words(text)): cue for cue, texts in others.items() for text in texts}
    return table | {"".join(_plain_words(cue)): cue for cue in cues}


def sides(cues: Iterable[str]) -> dict[str, list[str]]:
    """Cue of inconsistency, as ``FL`` -> every way to name its two sides, in both orders."""
    words = {letter: [letter, *texts] for letter, texts in other_words()["sides"].items()}
    both = {cue: [(cue[0], cue[1]), (cue[1], cue[0])] for cue in cues}
    return {
        cue: [" ".join(pair) for first, second in orders for pair in product(words[first], words[second])]
        for cue, orders in both.items()
    }


def is_denial(text: str) -> bool:
    """Whether a text says no more than that nothing was seen."""
    words, denying = _words(text), _word_set("denying")
    return "".join(words) in denying or all(word in denying for word in words)


def cues_at_start(text: str, spelled: Mapping[str, str]) -> list[str] | None:
    """Cues that a text begins with; none where it denies them; None where it begins with no cue.

    Args:
        text: of an annotator.
        spelled: see ``spellings``.
    """
    words, denying = _plain_words(text), _word_set("denying")
    denied = len(words) > 1 and words[-1] in denying
    found, at = [], 0
    words = words[:-1] if denied else words
    while at < len(words):
        length, cue = _first_cue(words[at : at + _MOST_WORDS], spelled)
        if cue:
            found.append(cue)
        elif not found and words[at] in denying:
            denied = True
        elif not words[at].isdigit() and (found or len(words[at]) > 1):  # "2. Smile", "a smile"
            break
        at += length
    return None if not found else [] if denied else found


def _first_cue(words: Sequence[str], spelled: Mapping[str, str]) -> tuple[int, str]:
    """How many words the cue has that they begin with, and the cue; 1 and nothing where they begin with none."""
    for length in range(len(words), 0, -1):
        cue = spelled.get("".join(words[:length]))
        if cue:
            return length, cue
    return 1, ""
