"""TENT: test-time adaptation by entropy minimisation (Wang et al., ICLR 2021, arXiv 2006.10726)."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from waver.adaptation.base import Frames, Needs, Network, SourceView
from waver.adaptation.methods.tta.norms import AffineStream, StreamConfig, entropy


class Tent:
    """Scale and shift of the normalisation layers descend the entropy of each batch's predictions.

    Frames of a video are alike and A/H is rare: entropy falls furthest where all frames are one class. The share of
    frames predicted positive stands in the diagnostics.
    """

    class Config(StreamConfig):
        """Optimiser of the authors' release for small pictures."""

        lr: float = Field(1e-3, gt=0, description="learning rate of Adam")
        steps: int = Field(1, ge=1, description="steps per batch")

    needs: ClassVar[Needs] = Needs(stream=True, norms=True)

    def __init__(self, config: Config) -> None:
        self.config = config
        self.batch = config.batch

    def begin(self, model: Network, source: SourceView | None, seed: int) -> EntropyStream:
        """A stream with the source's scale and shift."""
        return EntropyStream(model, self.config)


class EntropyStream(AffineStream):
    """Minimises the mean entropy of each batch."""

    def __init__(self, model: Network, config: Tent.Config) -> None:
        super().__init__(model)
        self._steps = config.steps
        self._optimiser = torch.optim.Adam(self.affine, config.lr)

    def update(self, frames: Frames, logits: Tensor) -> None:
        """As many steps as the config says, the first on the prediction itself."""
        for number in range(self._steps):
            current = logits if number == 0 else self.logits(frames)
            self._optimiser.zero_grad()
            entropy(current).mean().backward()  # type: ignore[no-untyped-call]
            self._optimiser.step()
            self.steps += 1
