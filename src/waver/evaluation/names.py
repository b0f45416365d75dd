"""Names that the rules, the controls and the tables of scores share; nothing heavy is imported with them."""

from __future__ import annotations

from typing import NamedTuple

REFERENCE = "content_free"
"""Control that every method is held against."""

CONTROLS = ("all_negative", "all_positive", "question_prior", REFERENCE, "neighbours")
"""Predictors that look at nobody (``waver.evaluation.controls``), in the order of the tables."""

LEVELS = ("frame", "video")
"""What controls predict; a table of participants is made of frames."""

STANDARD, CROSS_VALIDATED = "standard", "cv"
PROTOCOLS = (STANDARD, CROSS_VALIDATED)
"""Ways in which controls predict: fitted on train, or out of fold."""


class Control(NamedTuple):
    """Predictions of a control: which, of what, fitted how."""

    name: str
    level: str
    protocol: str
