"""How numbers and names are written on the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from waver.training.names import changes, only_window

CONTROLS = {
    "all_negative": "All negative",
    "all_positive": "All positive",
    "question_prior": "Question prior",
    "content_free": "Content-free control",
    "neighbours": "Neighbouring numbers",
}
"""Predictors that look at no person; they stand in every table."""

CONTENT_FREE = "content_free"
CONSTANTS = {"all_negative", "all_positive"}
"""Controls that give one answer for everything."""

METHODS = {
    "lfan": "LFAN",
    "can": "CAN",
    "mt": "MT",
    "jmt": "JMT",
    "conflict": "Conflict model",
    "source_only": "Source only",
    "shot": "SHOT",
    "nrc": "NRC",
    "mmd": "MMD",
    "acpl": "ACPL",
    "oracle": "Oracle",
    "tfidf": "TF-IDF",
    "cues": "Cue counts",
    "sentence": "Sentence embedding",
    "content": "Cues + sentences",
    "sequence": "Word sequence",
    "encoder": "Fine-tuned encoder",
    "discrepancy": "Discrepancy transformer",
    "focalnet_tiny": "Video-FocalNet tiny",
    "focalnet_small": "Video-FocalNet small",
    "focalnet_base": "Video-FocalNet base",
    "emoclip": "EmoCLIP",
}

OF_ANSWERS = {"question_prior", "tfidf", "cues", "sentence", "content", "sequence", "encoder"}
"""Models of what was said, one score a video."""

INPUTS = {"T": "words", "TQ": "words + question", "Q": "question"}
"""What a model of answers is given."""

USES_LABELS = {"oracle"}
"""Methods that are given labels of the person they are scored on: a ceiling, never the best."""

PROTOCOLS = {
    "block": "Blocks of time",
    "frame_random": "Random frames",
}
"""How a target participant's frames were split for adaptation; the one to trust comes first."""


VIDEO_RULES = {
    "sliding_mean": "by the papers' rule, the highest mean over a sliding window",
    "majority": "by the vote of their frames",
    "mean_logits": "by the mean of the frames' logits",
    "mean_probabilities": "by the mean of the frames' probabilities",
}
"""How frame models judge a whole video."""

SPLITS = {
    "cv": "cross-validation",
    "test": "test split",
    "val": "validation split",
}
"""Splits that are scored, the one that a reader should look at first comes first."""

LANGUAGES = {"en": "English", "fr": "French", "es": "Spanish", "zh": "Chinese", "ar": "Arabic"}


def method_name(method: str, modalities: str = "") -> str:
    """``("lfan", "ATQ")`` gives ``"LFAN A+T + question"``, ``("tfidf", "TQ")`` ``"TF-IDF, words + question"``."""
    name = CONTROLS.get(method) or METHODS.get(method) or method.replace("_", " ")
    if method in CONTROLS:
        return f"{name}, as a model" if modalities else name
    if method in OF_ANSWERS:
        return f"{name}, {INPUTS.get(modalities, modalities)}"
    seen = "+".join(modalities.removesuffix("Q"))
    parts = [seen] if seen else []
    parts += ["question"] if modalities.endswith("Q") else []
    return f"{name} {' + '.join(parts)}".strip()


def row_name(row: Mapping[str, Any]) -> str:
    """Name of the method that a row of a table is about.

    A variant is told after the model: ``"LFAN V+A+T, window 24"``, ``"Conflict model V+A+T without pairs"``,
    ``"LFAN V+A+T, short (window 96)"``.

    Args:
        row: ``method``, ``modalities`` and, of models of frames, the columns MODEL_FIELDS.
    """
    name = method_name(row.get("fusion") or row["method"], row["modalities"])
    if row.get("variant"):
        name += _variant(row)
    return f"{name}, head for whole videos" if row.get("video_head") else name


def _variant(row: Mapping[str, Any]) -> str:
    name, window = row["variant"], f"window {row['window_frames']}"
    if only_window(row) and name == f"w{row['window_frames']}":
        return f", {window}"
    words = name.replace("_", " ")
    told = f" without {words[3:]}" if words.startswith("no ") else f", {words}"
    return f"{told} ({window})" if "window" in changes(row) else told


def where(level: str, split: str) -> str:
    """``"frames of the test split"``, ``"videos in cross-validation"``."""
    things = {"participant": "mean over participants"}.get(level, f"{level}s")
    return f"{things} in cross-validation" if split == "cv" else f"{things} of the {SPLITS.get(split, split)}"


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
    """``.61–.67``; ``−.02 to .03`` where a minus would meet the dash; empty where there is none."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    between = " to " if low < 0 else between
    return between.join(score(value, 2).replace("-", "−") for value in (low, high))


def p_value(p: float | None) -> str:
    """``p .012``, ``p .46``, ``p < .001``; empty where there is none."""
    if p is None or not math.isfinite(p):
        return ""
    return "p < .001" if p < 0.001 else f"p {score(p, 3 if p < 0.1 else 2)}"


def percent(part: float) -> str:
    """``95 %`` of a share."""
    return f"{100 * part:.0f} %"


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
