"""adapt: what networks that methods adapt as a whole have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from itertools import product

from waver.config.adaptation import AdaptedNetwork
from waver.workflow.paths import diagnostics_of
from waver.workflow.stages.base import Stage


class Adapted(Stage, ABC):
    """Networks that methods adapt to one person, a row of the config each."""

    @property
    @abstractmethod
    def rows(self) -> Sequence[AdaptedNetwork]:
        """Of the config."""

    @property
    @abstractmethod
    def template(self) -> str:
        """Path of their predictions."""

    def predictions(self) -> list[str]:
        """Of every network, method, protocol, seed and shard of the config."""
        adapt = self.config.adapt
        return [
            self.template.format(**row.names, method=method, protocol=protocol, seed=seed, shard=shard)
            for row in self.rows
            for method, protocol, seed, shard in product(row.scored, adapt.protocols, adapt.seeds, self.run.shards)
        ]

    def diagnostics(self) -> list[str]:
        """Beside the predictions, in their order."""
        return [diagnostics_of(path) for path in self.predictions()]

    def methods(self) -> Iterable[str]:
        """The methods of the config."""
        return [method for row in self.rows for method in row.scored]
