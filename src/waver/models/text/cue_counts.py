"""Cues of hesitation and conflict, counted in a transcript.

The cues are those of the annotators' codebook (dataset paper, Table 10: language cues and COM-B
constructs) with contrast, negation, obligation and wish, and others in which answers differ (who is spoken
of, when, what stood in the way), by lists of English and French expressions in ``cues.yaml``. Lists see
words, not what is meant.

Some English expressions were found by reading public train transcripts of BAH-224. Scores cross-validated
over those participants are therefore a little in favour of the cues; scores on the test split are not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from waver.datasets.transcripts import continues, guessed_language

CUE_LISTS = Path(__file__).with_name("cues.yaml")
"""A rule whose method counts cues has this file's sha256 among its params: code versions do not see it."""

_CODEBOOK = (
    "filler_sound", "filler_word", "hedge", "correction", "contrast", "negation", "obligation", "wish",
    "positive", "negative", "excuse", "success", "fail", "cap", "no_cap", "mot", "no_mot", "opp", "no_opp",
)  # fmt: skip
_OTHERS = (
    "but", "unknowing", "temporal", "postponement", "resource", "attempt", "stopping", "intensity",
    "constancy", "occasion", "self", "we", "you", "others", "past", "condition", "comparison", "feeling",
    "thinking", "health", "screen", "chain", "closing", "question_mark",
)  # fmt: skip
_LISTED = (*_CODEBOOK, *_OTHERS)
CUE_NAMES = (*_CODEBOOK, "repetition", "ambivalence", *_OTHERS)
"""Columns of ``cue_counts``."""

_LANGUAGES = ("en", "fr")
_LONGEST_WORD = 40
_SIGNS = str.maketrans(dict.fromkeys("’‘ʼ＇", "'") | dict.fromkeys("‐‑", "-"))
_SAID = r"[^\W\d_]+(?:'[^\W\d_]+)?"
_AGAIN = re.compile(rf"(?<![\w'])({_SAID}(?: {_SAID})?)(?:[,.… -]+\1)+(?![\w'])")
"""A word, or two, said again at once: "the the", "i was, i was"."""


def cue_counts(texts: Sequence[str], languages: Sequence[str | None]) -> npt.NDArray[np.float32]:
    """How often each cue occurs in each text.

    Args:
        texts: n transcripts.
        languages: ISO 639-1 code of each; where it is None, it is told by the text's commonest words. A
            language without lists has its repetitions counted and nothing else.

    Returns:
        float32 [n, C], columns CUE_NAMES: counts; ``ambivalence`` is the lesser of the counts of positive
        and negative expressions (Kaplan's index).
    """
    counts = np.zeros((len(texts), len(CUE_NAMES)), np.float32)
    for row, (text, language) in enumerate(zip(texts, languages, strict=True)):
        counts[row] = _counts(text, language)
    return counts


@cache
def _counts(text: str, language: str | None) -> tuple[float, ...]:
    found = {name: float(len(spans)) for name, spans in _spans(normalised(text), language).items()}
    found["ambivalence"] = min(found.get("positive", 0.0), found.get("negative", 0.0))
    return tuple(found.get(name, 0.0) for name in CUE_NAMES)


def cue_words(words: Sequence[str], language: str | None) -> dict[str, list[tuple[int, int]]]:
    """Where in a text each cue is said: numbers of the first and the last word of each time it occurs.

    Args:
        words: words of a text, none of them blank. The pieces of a word that were split (``j``, ``'aime``) are read
            as the word.
        language: as in ``cue_counts``, which counts the same.

    Returns:
        Of every cue but ``ambivalence``, in the order of the text.
    """
    text, starts = "", []
    for said in map(normalised, words):
        apart = text and said and not continues(text[-_LONGEST_WORD:], said)
        text += " " * bool(apart)
        starts.append(len(text))
        text += said
    return {
        name: [(int(np.searchsorted(starts, start, "right")) - 1, int(np.searchsorted(starts, end - 1, "right")) - 1)
               for start, end in spans]
        for name, spans in _spans(text, language).items()
    }  # fmt: skip


def _spans(text: str, language: str | None) -> dict[str, list[tuple[int, int]]]:
    """First character of each time a cue occurs in a normalised text, and the one after its last."""
    expressions = _expressions().get(language or guessed_language(text) or "en", {})
    return {name: [match.span() for match in regex.finditer(text)]
            for name, regex in (expressions | {"repetition": _AGAIN}).items()}  # fmt: skip


def normalised(text: str) -> str:
    """Lower case, straight apostrophes, plain hyphens, single spaces."""
    return " ".join(text.lower().translate(_SIGNS).split())


@cache
def _lists() -> dict[str, Any]:
    lists: dict[str, Any] = yaml.safe_load(CUE_LISTS.read_text(encoding="utf-8"))
    return lists


@cache
def _expressions() -> dict[str, dict[str, re.Pattern[str]]]:
    """One expression per language and cue; longer alternatives come first."""
    cues = _lists()["cues"]
    return {language: {name: _any_of(cues[name][language]) for name in _LISTED} for language in _LANGUAGES}


def _any_of(phrases: Sequence[str]) -> re.Pattern[str]:
    longest_first = sorted({phrase.strip() for phrase in phrases}, key=lambda phrase: (-len(phrase), phrase))
    words = [_expression(phrase) for phrase in longest_first if re.search(r"\w", phrase)]
    marks = [re.escape(phrase) for phrase in longest_first if not re.search(r"\w", phrase)]  # may touch a word
    return re.compile("|".join([*([rf"(?<![\w'])(?:{'|'.join(words)})(?![\w])"] if words else []), *marks]))


def _expression(phrase: str) -> str:
    # * is any letters, + three or more; between words stands a space, with or without a comma
    return re.escape(phrase).replace(r"\*", r"[\w']*").replace(r"\+", r"[^\W\d_]{3,}").replace(r"\ ", ",? ")
