"""Which tier of an annotation file says where there is A/H, and by which values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waver.datasets.bah.release_yaml import read_yaml
from waver.datasets.codebook import CHANNELS
from waver.errors import WaverError

YES, UNSURE = "A/H", "unsure"
"""Values of the tiers that Waver makes."""
_CHANNEL = {"face": "facial", "voice": "audio", **{channel: channel for channel in CHANNELS}}
_NUMBER = re.compile(r"[-+]?[0-9]+\.[0-9]+")


@dataclass(frozen=True)
class TierOf:
    """Which tier is a coder's.

    Attributes:
        tier: its name.
        positive: values that say A/H; empty: any value that is not in ``unsure``.
        unsure: values that say that it cannot be told.
        cues: tiers with cues; empty: those whose name begins with ``cue``.
    """

    tier: str
    positive: tuple[str, ...] = ()
    unsure: tuple[str, ...] = (UNSURE, "?")
    cues: tuple[str, ...] = ()

    def says(self, text: str) -> bool | None:
        """Whether a value says A/H; None where it says that it cannot be told."""
        if text in self.unsure:
            return None
        return not self.positive or text in self.positive

    def cue_tiers(self, names: Iterable[str]) -> Iterable[str]:
        """Of the tiers of a file, those with cues."""
        return self.cues or [name for name in names if name.lower().startswith("cue")]

    @staticmethod
    def is_cue(text: str) -> bool:
        """Whether a value is a cue, and none of the numbers that the model's own tiers of these names hold."""
        return not _NUMBER.fullmatch(text)


def channel_of(tier: str) -> str | None:
    """Channel of the codebook that the name of a tier of cues ends with, as in ``cue_face``."""
    return _CHANNEL.get(tier.lower().removeprefix("cue").lstrip("_ "))


def read_tier_list(path: Path) -> dict[str, TierOf]:
    """Coder -> tier, of a YAML file such as ``anna: {tier: Codes A, positive: [ambivalent, hesitant]}``.

    Raises:
        WaverError: the file cannot be read or says anything else.
    """
    try:
        return {
            str(coder): TierOf(**{key: _texts(value) for key, value in one.items()})
            for coder, one in read_yaml(path).items()
        }
    except (TypeError, AttributeError, ValueError) as error:
        raise WaverError(
            f"{path} is no list of coders; write lines such as anna: {{tier: Codes A, positive: [ambivalent]}}"
        ) from error


def _texts(value: Any) -> Any:
    """A text, or a list of texts, of YAML's scalars.

    Raises:
        TypeError: it is, or holds, a list or a table.
    """
    if isinstance(value, list) and not any(isinstance(one, list | dict | tuple) for one in value):
        return tuple(map(str, value))
    if isinstance(value, list | dict | tuple):
        raise TypeError(type(value))
    return str(value)
