"""Ablations that leave the recipe of a model as it is and give it one more modality."""

from __future__ import annotations

from waver.shapes import MODALITIES

ADDED = {"with_cues": "C"}
"""Name of the ablation -> letter of the modality."""


def with_letter(modalities: str, letter: str) -> str:
    """Letters of the modalities with one more, in the papers' order."""
    return "".join(known for known in MODALITIES if known in modalities + letter)


def without_letter(modalities: str, letter: str) -> str:
    """Letters of the modalities but for one, where it is among them; an empty letter takes none away."""
    return "".join(known for known in modalities if known != letter)
