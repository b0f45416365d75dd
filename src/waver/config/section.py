"""The base of all sections of the configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict

from waver.modalities import subsets

MODALITY_SETS = subsets()
"""Letters of one modality or several, in the order of ``waver.registry.MODALITIES``."""


UserPath = Annotated[str, AfterValidator(os.path.expanduser)]
"""Path of a file or folder; ``~`` stands for the home folder, which no shell expands within ``--config``."""


class Section(BaseModel):
    """A frozen model that rejects unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def overlaid(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` overlaid with ``top``, nested mappings key by key, as one config file overlays another."""
    merged = dict(base)
    for key, value in top.items():
        known = merged.get(key)
        merged[key] = overlaid(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return merged
