"""Names that the rules, the controls and the tables of scores share; this module imports nothing heavy."""

from __future__ import annotations

from typing import NamedTuple

from waver import registry

REFERENCE = "content_free"
"""Control that every method is compared with."""

CONTROLS = tuple(registry.CONTROLS)
"""Predictors without the content of an answer (``waver.evaluation.controls``), in the order of the tables."""

LEVELS = ("frame", "video")
"""Levels of the controls' predictions; a table of participants is made of frames."""

STANDARD, CROSS_VALIDATED = "standard", "cv"
PROTOCOLS = (STANDARD, CROSS_VALIDATED)
"""Protocols of the controls: fitted on train, or out of fold."""


class Control(NamedTuple):
    """Predictions of a control: name, level and protocol."""

    name: str
    level: str
    protocol: str
