"""A stretch of a recording with a text, as annotation tools have it."""

from __future__ import annotations

from typing import NamedTuple

MOST_MS = 7 * 24 * 3600 * 1000
"""No recording lasts a week."""


class Annotation(NamedTuple):
    """A stretch of a tier, milliseconds, with its text."""

    start_ms: int
    end_ms: int
    text: str
