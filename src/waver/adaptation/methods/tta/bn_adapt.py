"""BN-adapt: statistics of the batch norm from the target (Schneider et al., NeurIPS 2020, arXiv 2006.16971)."""

from __future__ import annotations

import copy
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from waver.adaptation.base import Needs, SourceModel, SourceView
from waver.adaptation.methods.tta.batch_norm import StreamConfig, normalised_by_batch


class BnAdapt:
    """The batch norm normalises by the batch that arrives, mixed with the source's statistics. Nothing is kept."""

    class Config(StreamConfig):
        """A strength of the source's statistics within the range of the paper."""

        source_frames: float = Field(16.0, ge=0, description="frames that the source's statistics count for")

    needs: ClassVar[Needs] = Needs(stream=True)

    def __init__(self, config: Config) -> None:
        self.config = config
        self.batch = config.batch

    def begin(self, model: SourceModel, source: SourceView | None, seed: int) -> BatchStatistics:
        """A stream that keeps the source model."""
        return BatchStatistics(model, self.config.source_frames)


class BatchStatistics:
    """Predicts each batch by its own statistics."""

    def __init__(self, model: SourceModel, source_frames: float) -> None:
        self._model, self._source_frames, self.steps = copy.deepcopy(model).eval(), source_frames, 0

    @torch.no_grad()
    def predict(self, features: Tensor) -> Tensor:
        """Logits float32 [B, 2] of features float32 [B, D]."""
        logits: Tensor = self._model.head(normalised_by_batch(self._model, features, self._source_frames))
        return logits
