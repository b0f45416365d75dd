"""Modalities: what the workflow, packs, models and the report take from their records.

The records are in ``waver.registry.MODALITIES``, which code fingerprints do not follow. What decides numbers is in the
params of the rules: ``layouts`` where packs are written, ``streams`` or ``names_of`` where models are trained.
"""

from __future__ import annotations

from typing import Any

from waver.records import Modality
from waver.registry import MODALITIES


def modality_names(letters: str) -> list[str]:
    """Names of the modalities in ``letters``: ``"VT"`` gives ``["visual", "text"]``."""
    return [MODALITIES[letter].name for letter in letters]


def stored_modalities() -> list[Modality]:
    """Those with features, in order: all but the context."""
    return [one for one in MODALITIES.values() if one.feature]


def derived_modalities() -> list[Modality]:
    """Those whose features are derived from others, see ``waver.features.derived``."""
    return [one for one in stored_modalities() if one.function]


def feature_names(recorded: bool) -> list[str]:
    """Everything that is made of a video, in the order of the flow.

    Args:
        recorded: there are video files; of transcripts alone there are speech and what is made of it.
    """
    seen = ["faces", *(one.feature for one in stored_modalities() if one.recorded)]
    return [*(seen if recorded else []), "speech", *(one.feature for one in stored_modalities() if not one.recorded)]


def packed(one: Modality) -> tuple[str, str]:
    """Names of a modality's two arrays in a pack."""
    return one.name, "word_of_frame" if one.by_word else f"{one.name}_valid"


def layouts() -> list[dict[str, Any]]:
    """What decides the streams of a pack."""
    decisive = ("name", "feature", "arrays", "by_word", "sufficient", "affect")
    return [{key: getattr(one, key) for key in decisive} for one in stored_modalities()]


def names_of(letters: str) -> dict[str, str]:
    """Letter -> name of the stream that a model reads."""
    return {letter: MODALITIES[letter].name for letter in letters}


def streams(letters: str) -> dict[str, list[Any]]:
    """Letter -> name and default channels of the stream that a fusion is built on."""
    return {letter: [MODALITIES[letter].name, list(MODALITIES[letter].channels)] for letter in letters}


def default_channels() -> dict[str, tuple[int, ...]]:
    """Name of each modality -> channels of the blocks of its stream."""
    return {one.name: one.channels for one in MODALITIES.values()}


def subsets() -> str:
    """Regular expression of the sets of modalities: one letter or several, in order."""
    letters = list(MODALITIES)
    first = [letter + "".join(f"{later}?" for later in letters[k + 1 :]) for k, letter in enumerate(letters)]
    return f"^({'|'.join(first)})$"


def split_context(letters: str) -> tuple[list[str], list[str]]:
    """Letters of the modalities of the person, and names of those that are context."""
    known = {letter: MODALITIES.get(letter) for letter in letters}
    context = [one.name for one in known.values() if one and not one.feature]
    return [letter for letter, one in known.items() if not one or one.feature], context


def letters_made_by(role: str) -> list[str]:
    """Letters of the modalities whose features a frozen model of this role may compute."""
    return [letter for letter, one in MODALITIES.items() if role in one.networks]
