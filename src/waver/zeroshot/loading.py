"""An asked model read from the folder in which it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from waver.assets.entries import download_command
from waver.assets.manifest import Installed
from waver.config.section import Section
from waver.errors import WaverError
from waver.records import load
from waver.registry import ZERO_SHOT_MODELS
from waver.zeroshot.families.base import Dtype


def load_family(name: str, record: Installed | None, options: Section, dtype: Dtype) -> Any:
    """A loaded model.

    Args:
        name: in ZERO_SHOT_MODELS.
        record: of its folder; None of a model that is not in this process.
        options: its own.
        dtype: of its weights.

    Raises:
        WaverError: the folder holds no such model, or not all of it; where it is published, with what fetches it.
    """
    try:
        return load(ZERO_SHOT_MODELS, name).load(Path(record.folder) if record else Path(), options, dtype)
    except WaverError as problem:
        command = download_command(record.role, record.title) if record and record.set == "path" else ""
        if not command:
            raise
        raise WaverError(f"{problem}, or fetch it whole where there is a network: {command}") from problem
