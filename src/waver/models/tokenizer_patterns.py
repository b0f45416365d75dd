"""Patterns of a tokenizer that take minutes for one text: tried on the texts that are worst for them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from waver.errors import WaverError
from waver.io.bounded import SECONDS, OutOfBoundsError, in_bounds

_LENGTH = 3000
"""Letters of a text: a cubic pattern takes minutes for them."""
_ALWAYS = " \n\u00a0aA1._é\u0301αяאاकกあ中한"
"""A letter of each of the usual classes and scripts."""
_MOST_LITERALS = 60
_LONGEST_PATTERN = 2000


def check_patterns(patterns: list[str], parts: dict[str, Any], seconds: int = SECONDS) -> None:
    """Refuse patterns that take long for a text without a match.

    Args:
        patterns: regular expressions of the tokenizer.
        parts: its ``normalizer`` and ``pre_tokenizer``, as ``tokenizer.json`` has them.
        seconds: of the processor that they may take.

    Raises:
        WaverError: they do, or fail for some texts.
    """
    if not patterns:
        return
    try:
        fails = in_bounds(_try, json.dumps(parts), list(_texts(patterns)), seconds=seconds)
    except OutOfBoundsError as problem:
        fails = str(problem)
    if fails:
        raise WaverError(f"tokenizer.json has a pattern that {fails} for some texts")


def _texts(patterns: list[str]) -> Iterator[str]:
    """Each letter that a pattern names, and each word of it, repeated; then all of them.

    A library that looks for what a match must have finds it, but not behind the letters that are repeated.
    """
    patterns = [pattern[:_LONGEST_PATTERN] for pattern in patterns[:_MOST_LITERALS]]
    plain = [re.sub(r"\\[pP]\{[^}]*\}|\\.|\(\?\w*[:=!>]?", " ", pattern) for pattern in patterns]
    words = dict.fromkeys(word for text in plain for word in re.findall(r"\w+", text))
    marks = dict.fromkeys(letter for pattern in patterns for letter in pattern)
    codes = [
        chr(int(code, 16) % 0xD800)
        for pattern in patterns
        for code in re.findall(r"\\[xu]\{?([0-9a-fA-F]{2,4})", pattern)
    ]
    repeated = [*_ALWAYS, *list(words)[:_MOST_LITERALS], *list(marks)[:_MOST_LITERALS], *codes[:_MOST_LITERALS]]
    end = "\0".join(["", *repeated, *patterns])
    for word in dict.fromkeys(repeated):
        yield word * max(1, _LENGTH // len(word)) + end


def _try(parts: str, texts: list[str]) -> str:
    """What is wrong with the patterns; nothing where the library does not know the parts, as who reads them tells."""
    from tokenizers import Tokenizer

    model = {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}
    try:
        tokenizer = Tokenizer.from_str(json.dumps({"version": "1.0", **json.loads(parts), "model": model}))
    except Exception:
        return ""
    for text in texts:
        try:
            tokenizer.encode(text)
        except BaseException:  # a panic of the library is no Exception
            return "fails"
    return ""
