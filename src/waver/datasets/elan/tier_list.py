"""Which tier of an annotation file says where there is A/H, and by which values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waver.datasets.bah.release_yaml import read_yaml
from waver.errors import WaverError

YES, UNSURE = "A/H", "unsure"
"""Values of the tiers that Waver makes."""


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
