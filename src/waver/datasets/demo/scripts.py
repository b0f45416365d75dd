"""Texts of the scripted answers: willing and unwilling sentences of equal length, and fillers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

TEXTS = Path(__file__).with_name("scripts.yaml")


@dataclass(frozen=True)
class Script:
    """Texts of one language: ``pairs`` hold a willing sentence and its unwilling twin."""

    habits: tuple[str, ...]
    fillers: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]

    def sentence(self, pair: int, filler: int, willing: bool, habit: str) -> str:
        """One sentence, capitalised and with a full stop; indices go round."""
        body = self.pairs[pair % len(self.pairs)][0 if willing else 1].format(habit=habit)
        whole = f"{self.fillers[filler % len(self.fillers)]} {body}".strip()
        return f"{whole[0].upper()}{whole[1:]}."


@cache
def scripts() -> dict[str, Script]:
    """Texts by language."""
    entries = yaml.safe_load(TEXTS.read_text(encoding="utf-8"))
    return {
        language: Script(
            tuple(entry["habits"]),
            tuple(entry["fillers"]),
            tuple((pair["willing"], pair["unwilling"]) for pair in entry["pairs"]),
        )
        for language, entry in entries.items()
    }
