"""Text of files from outside, whatever encoding they are in: what cannot be read is marked, and never guessed."""

from __future__ import annotations

import codecs
from pathlib import Path

UNREADABLE = "\ufdd0"
"""Stands for bytes that are no text; Unicode has no such character, and keeps it free for marks."""
NOT_UTF_8 = "it has characters that are not UTF-8"

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LOOKED_AT = 4096
"""Bytes by which an encoding without a byte order mark is told."""

codecs.register_error("waver.unreadable", lambda error: (UNREADABLE, getattr(error, "end", 0)))


def encoding_of(head: bytes) -> str:
    """UTF-8, or UTF-16 or UTF-32 by a byte order mark or by the zeros between the letters.

    Args:
        head: first bytes of a file.
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    head = head[:_LOOKED_AT]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if 4 * (even + odd) < len(head) or len(head) < 4:
        return "utf-8"
    if 8 * (even + odd) > 5 * len(head):
        return "utf-32-le" if head[0] else "utf-32-be"
    return "utf-16-le" if odd > even else "utf-16-be"


def decoded(content: bytes) -> str:
    """Text of a file's bytes; UNREADABLE for each part that is none."""
    return content.decode(encoding_of(content[:_LOOKED_AT]), errors="waver.unreadable")


def file_encoding(path: Path) -> str:
    """``encoding_of`` a file.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as stream:
        return encoding_of(stream.read(_LOOKED_AT))
