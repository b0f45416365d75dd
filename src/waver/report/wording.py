"""How numbers and names are written on the page."""

from __future__ import annotations

import math
from collections.abc import Sequence

CONTROLS = {
    "all_negative": "All negative",
    "all_positive": "All positive",
    "content_free": "Content-free control",
}
"""Predictors that look at no person; they stand in every table."""

CONTENT_FREE = "content_free"

METHODS = {
    "lfan": "LFAN",
    "can": "CAN",
    "mt": "MT",
    "jmt": "JMT",
    "source_only": "Source only",
    "shot": "SHOT",
    "nrc": "NRC",
    "mmd": "MMD",
    "acpl": "ACPL",
    "oracle": "Oracle",
}

USES_LABELS = {"oracle"}
"""Methods that are given labels of the person they are scored on: a ceiling, never the best."""

PROTOCOLS = {
    "block": "Blocks of time",
    "frame_random": "Random frames",
}
"""How a target participant's frames were split for adaptation; the one to trust comes first."""


def method_name(method: str, modalities: str = "") -> str:
    """``("lfan", "AT")`` gives ``"LFAN A+T"``."""
    name = CONTROLS.get(method) or METHODS.get(method) or method.replace("_", " ")
    return f"{name} {'+'.join(modalities)}".strip() if method not in CONTROLS else name


def is_control(method: str) -> bool:
    """Whether the method looks at no person."""
    return method in CONTROLS


def score(value: float | None, digits: int = 3) -> str:
    """``.639``; an en dash for what is not defined."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:.{digits}f}"
    text = text.lstrip("-") if float(text) == 0 else text
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def signed(value: float) -> str:
    """``+.031`` or ``−.012``, with a real minus."""
    return ("+" if value >= 0 else "−") + score(abs(value))


def interval(low: float | None, high: float | None, between: str = "–") -> str:
    """``.61–.67``; empty where there is none."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return between.join(score(value, 2).replace("-", "−") for value in (low, high))


def count(number: int) -> str:
    """``335,110``."""
    return f"{number:,}"


def share(part: float, whole: float) -> str:
    """``19.6 %``; an en dash of nothing."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def plural(number: int, one: str, many: str = "") -> str:
    """``1 video``, ``2 videos``."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def span(seconds: float) -> str:
    """``41 s``, ``12 min``, ``3.4 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
