"""BN-adapt: statistics of the batch norms from the target (Schneider et al., NeurIPS 2020, arXiv 2006.16971)."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from waver.adaptation.base import Frames, Needs, Network, SourceView
from waver.adaptation.methods.tta.norms import StreamConfig, by_batch


class BnAdapt:
    """Batch norms normalise by the batch that arrives, mixed with the source's statistics. Nothing is kept."""

    class Config(StreamConfig):
        """A strength of the source's statistics within the range of the paper."""

        source_frames: float = Field(16.0, ge=0, description="frames that the source's statistics count for")

    needs: ClassVar[Needs] = Needs(stream=True, batch_norm=True)

    def __init__(self, config: Config) -> None:
        self.config = config
        self.batch = config.batch

    def begin(self, model: Network, source: SourceView | None, seed: int) -> StatisticsStream:
        """A stream that keeps the source model."""
        return StatisticsStream(model, self.config.source_frames)


class StatisticsStream:
    """Predicts each batch by its own statistics."""

    def __init__(self, model: Network, source_frames: float) -> None:
        self._model, self.steps = by_batch(model, source_frames), 0

    @torch.no_grad()
    def predict(self, frames: Frames) -> Tensor:
        """Logits float32 [B, 2] of B frames."""
        logits: Tensor = self._model(frames)
        return logits
