"""What all sections of the configuration have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

MODALITY_SETS = "^((V|A|T|VA|VT|AT|VAT)C?Q?|CQ?|Q)$"
"""Subsets of the modalities, letters in the papers' order; C: cues of how it is said; Q: the question asked, as
context."""


class Section(BaseModel):
    """Frozen, and refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def overlaid(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` changed by ``top``, mappings within them key by key; as one config file overlays another."""
    merged = dict(base)
    for key, value in top.items():
        known = merged.get(key)
        merged[key] = overlaid(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return merged
