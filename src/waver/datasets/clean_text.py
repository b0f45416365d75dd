"""Text of files from outside: without control characters, and in one spelling, in linear time."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterator

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
"""What no text needs: control characters except tab and line ends, halves of surrogate pairs, marks of the byte
order, and code points that are no characters."""
_MOST_MARKS = 30
"""Combining marks on one letter (Unicode's stream-safe text format); sorting more of them takes quadratic time."""


def printable(text: str) -> str:
    """The text without control characters; line ends of any system become a line feed."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", text) if _CONTROL.search(text) else text


def composed(text: str) -> str:
    """The text in Unicode's composed form (NFC); marks on a letter beyond the thirtieth are dropped."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _few_marks(text))


def _few_marks(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _MOST_MARKS:
            kept.append(character)
    return "".join(kept)


def csv_rows(text: str) -> Iterator[list[str]]:
    """Rows of a CSV text; one with a field that is too long is a question mark."""
    rows = csv.reader(text.splitlines())
    while True:
        try:
            yield next(rows)
        except csv.Error:
            yield ["?"]
        except StopIteration:
            return


def shown(path: str) -> str:
    """A path for tables and messages: bytes that are no UTF-8 are written as hexadecimal escapes."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
