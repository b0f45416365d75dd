"""Phrases of recognisers: what they are known to invent where nobody speaks, and prompts for verbatim text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from waver.features.sentences import sentences
from waver.models.text.cue_counts import normalised

PHRASES = Path(__file__).with_name("speech_phrases.yaml")

_AROUND = " \t.,;:!?…\"'“”«»()[]{}*♪♫-–—"


def invented(pieces: Sequence[str]) -> list[bool]:
    """Pieces of a segment that are of a phrase which recognisers invent: of a credit, or all of them a courtesy.

    Args:
        pieces: text of one segment as it is handed out, with punctuation and blanks.
    """
    parts = sentences(pieces)
    texts = [_plain("".join(part)) for _, part in parts]
    credits = [bool(_known("credits").fullmatch(text)) for text in texts]
    alone = all(credit or not text or _known("courtesies").fullmatch(text)
                for credit, text in zip(credits, texts, strict=True))  # fmt: skip
    whole = alone or bool(_known("credits").fullmatch(_plain("".join(pieces))))
    return [whole or credit for credit, (_, part) in zip(credits, parts, strict=True) for _ in part]


def prompt(language: str) -> str:
    """An example of verbatim text with its hesitations; empty for a language without one."""
    found: str = _phrases()["prompts"].get(language, "")
    return found


def _plain(text: str) -> str:
    return normalised(text).strip(_AROUND)


@cache
def _phrases() -> dict[str, Any]:
    phrases: dict[str, Any] = yaml.safe_load(PHRASES.read_text(encoding="utf-8"))
    return phrases


@cache
def _known(kind: str) -> re.Pattern[str]:
    """Those of all languages: inventions are often of another language than the recording."""
    every = [phrase for phrases in _phrases()[kind].values() for phrase in phrases]
    return re.compile("|".join(re.escape(phrase).replace(r"\*", ".*") for phrase in every))
