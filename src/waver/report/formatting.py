"""Numbers and names as the page writes them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from waver.modalities import split_context
from waver.registry import ADAPTATIONS, ANSWER_MODELS, CONTROLS, KINDS
from waver.training.trained_model import changes, only_window
from waver.zeroshot.records import TUNED, Condition

CONTENT_FREE = "content_free"

INPUTS = {"T": "words", "TQ": "words + question", "Q": "question"}
"""Inputs of a model of answers."""

PROTOCOLS = {
    "block": "Blocks of time",
    "video": "Whole videos",
    "frame_random": "Random frames",
}
"""How the frames of a target participant are split for adaptation; the more reliable split comes first."""


VIDEO_RULES = {
    "sliding_mean": "the highest mean over a sliding window, the papers' rule",
    "majority": "the majority vote of the frames",
    "mean_logits": "the mean logit of the frames",
    "mean_probabilities": "the mean probability of the frames",
}
"""How the scores of frames become the score of a video."""

NETWORKS = {"bottleneck": "bottleneck", "clip": "CLIP"}
"""Networks that methods adapt and that are no models of frames."""

LEVELS = {"frame": "Frames", "video": "Videos", "participant": "Personalisation"}
"""Levels of scores as tables, headings and the menu call them."""

SPLITS = {
    "cv": "cross-validation",
    "test": "test split",
    "val": "validation split",
}
"""Splits that are scored; the one to choose by comes first."""

LANGUAGES = {"en": "English", "fr": "French", "es": "Spanish", "zh": "Chinese", "ar": "Arabic"}


def method_name(method: str, modalities: str = "") -> str:
    """``("lfan", "ATQ")`` gives ``"LFAN A+T + question"``, ``("tfidf", "TQ")`` ``"TF-IDF, words + question"``.

    A model that is asked is named with its prompt: ``"Video-LLaVA V+T, prompt td1, windows of 8 frames"``.
    """
    if condition := Condition.of(method):
        return _condition_name(condition, modalities)
    name = _label(method) or method.replace("_", " ")
    if method in CONTROLS:
        return f"{name}, as a model" if modalities else name
    if method in ANSWER_MODELS:
        return f"{name}, {INPUTS.get(modalities, modalities)}"
    letters, context = split_context(modalities)
    parts = ["+".join(letters), *context] if letters else context
    return f"{name} {' + '.join(parts)}".strip()


def _condition_name(condition: Condition, modalities: str) -> str:
    calibrated = "" if condition.calibration == "none" else f", {condition.calibration} calibration"
    model, *tuned = prompted_name(condition.model).split(", ")
    named = ", ".join([f"{model} {'+'.join(modalities)}".strip(), *tuned])
    return f"{named}, prompt {condition.prompt}, {condition.granularity}{calibrated}"


def prompted_name(model: str) -> str:
    """``Video-LLaVA``; ``Video-LLaVA, fine-tuned`` of ``video_llava_tuned``."""
    base = model.removesuffix(TUNED)
    name = _label(base) or base.replace("_", " ")
    return name if base == model else f"{name}, fine-tuned"


def _label(method: str) -> str:
    if method in CONTROLS:
        return CONTROLS[method].label
    return next((table[method].label for table in KINDS.values() if method in table), "")


def network_name(network: str | None) -> str:
    """What was adapted, in words; an en dash where nothing was.

    A model of frames is named by its label in the registry, a variant of it as in paths.
    """
    return NETWORKS.get(network, _label(network) or network) if network else "–"


def row_name(row: Mapping[str, Any]) -> str:
    """Name of the method of a table's row.

    The name of a variant follows that of the model: ``"LFAN V+A+T, window 24"``, ``"LFAN V+A+T, short (window 96)"``,
    ``"Conflict model V+A+T without pairs"``.

    A method that adapts a model of frames is named before it: ``"TENT, CAN V+A+T"``.

    Args:
        row: ``method``, ``modalities`` and, of models of frames and of adaptation, the columns MODEL_FIELDS.
    """
    network = row.get("network")
    if network and network not in NETWORKS:
        letters = method_name("", row["modalities"])
        return f"{method_name(row['method'])}, {network_name(network)} {letters}"
    name = method_name(row.get("fusion") or row["method"], row["modalities"])
    if row.get("variant"):
        name += _variant(row)
    return f"{name}, video-level head" if row.get("video_head") else name


def _variant(row: Mapping[str, Any]) -> str:
    name, window = row["variant"], f"window {row['window_frames']}"
    if only_window(row) and name == f"w{row['window_frames']}":
        return f", {window}"
    text = _in_words(name)
    return f"{text} ({window})" if "window" in changes(row) else text


def _in_words(variant: str) -> str:
    words = variant.replace("_", " ")
    return f" without {words[3:]}" if words.startswith("no ") else f", {words}"


def trained_name(method: str, modalities: str) -> str:
    """``"Conflict model V+A+T without gates"`` of ``conflict.no_gates``, where its name alone is known."""
    fusion, _, variant = method.partition(".")
    return method_name(fusion, modalities) + (_in_words(variant) if variant else "")


def where(level: str, split: str) -> str:
    """``"frames of the test split"``, ``"videos in cross-validation"``."""
    items = {"participant": "mean over participants"}.get(level, f"{level}s")
    return f"{items} in cross-validation" if split == "cv" else f"{items} of the {SPLITS.get(split, split)}"


def is_control(method: str) -> bool:
    """Whether the method sees, hears and reads nothing of an answer."""
    return method in CONTROLS


def is_constant(method: str) -> bool:
    """Whether the method gives one answer for everything."""
    return method in CONTROLS and CONTROLS[method].constant


def uses_labels(method: str) -> bool:
    """Whether the method is given labels of the person it is scored on: a ceiling, never the best."""
    return method in ADAPTATIONS and ADAPTATIONS[method].target_labels


def score(value: float | None, digits: int = 3) -> str:
    """``.639``; an en dash for an undefined score."""
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


def count(number: int | None) -> str:
    """``335,110``; an en dash for one that is withheld."""
    return "–" if number is None else f"{number:,}"


def share(part: float | None, total: float) -> str:
    """``19.6 %``; an en dash where the total is 0 or the part withheld."""
    return f"{100 * part / total:.1f} %" if total and part is not None else "–"


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
