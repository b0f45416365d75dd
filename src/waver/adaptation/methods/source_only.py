"""Source-only: the source model as it is, the row every other method is compared with."""

from __future__ import annotations

from typing import ClassVar

from waver.adaptation.base import Needs, Network, SourceView, TargetView
from waver.config.sections import Section


class SourceOnly:
    """No adaptation; batch-norm statistics stay the source's."""

    class Config(Section):
        """Nothing to set."""

    needs: ClassVar[Needs] = Needs()

    def __init__(self, config: Config) -> None:
        self.config = config

    def adapt(self, model: Network, target: TargetView, source: SourceView | None, seed: int) -> Network:
        """The network itself."""
        return model
