"""evaluate: the controls of every table."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

from waver.evaluation.control_names import CONTROLS, CROSS_VALIDATED, LEVELS, REFERENCE, STANDARD
from waver.workflow.fingerprint import code
from waver.workflow.run import Wildcards
from waver.workflow.stages.base import Stage


class Evaluate(Stage):
    """Predictors that see no person."""

    @property
    def controls(self) -> list[tuple[str, str, str]]:
        """What they predict, a file each: control, level, protocol."""
        protocols = [STANDARD] + [CROSS_VALIDATED] * self.run.cross_validated
        return list(product(CONTROLS, LEVELS, protocols))

    def predictions(self) -> list[str]:
        """Of ``controls``, in their order."""
        return [self.paths.control_predictions.format(control=".".join(names)) for names in self.controls]

    def shown(self) -> list[str]:
        """Those of the content-free control that the page reads, for single participants."""
        protocols = [STANDARD] + [CROSS_VALIDATED] * self.run.cross_validated
        names = [f"{REFERENCE}.frame.{protocol}" for protocol in protocols]
        return [self.paths.control_predictions.format(control=name) for name in names]

    def methods(self) -> Iterable[str]:
        """The controls."""
        return CONTROLS

    def controls_record(self, wildcards: Wildcards) -> dict[str, Any]:
        """What their predictions say about what made them."""
        return self.run.prediction_record(code("evaluate_controls"), self.run.folding)
