"""MEMO: marginal entropy minimisation with one test point (Zhang et al., NeurIPS 2022, arXiv 2110.09506)."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from waver.adaptation.base import Frames, Needs, Network, SourceView
from waver.adaptation.methods.tta.norms import by_batch
from waver.adaptation.methods.tta.views import ViewsConfig, augmented


class Memo:
    """The network becomes sure of what it predicts over augmented versions of a batch, and begins anew with the next.

    The authors' test point is a picture; here it is a batch of consecutive frames, of which each has a mean prediction
    over the versions. All parameters are adapted.
    """

    class Config(ViewsConfig):
        """Settings of the authors' release, and versions that are ours."""

        lr: float = Field(2.5e-4, gt=0, description="learning rate of SGD")
        steps: int = Field(1, ge=0, description="steps on a batch")
        source_frames: float = Field(
            1024.0, ge=0, description="frames that the source's batch-norm statistics count for: 16 batches of 64"
        )

    needs: ClassVar[Needs] = Needs(stream=True)

    def __init__(self, config: Config) -> None:
        self.config = config
        self.batch = config.batch

    def begin(self, model: Network, source: SourceView | None, seed: int) -> EpisodicStream:
        """A stream that keeps the network as it is."""
        return EpisodicStream(model, self.config, seed)


class EpisodicStream:
    """Adapts a copy of the network to each batch alone."""

    def __init__(self, model: Network, config: Memo.Config, seed: int) -> None:
        self._model, self._config, self.steps = model, config, 0
        self._generator = torch.Generator().manual_seed(seed)

    def predict(self, frames: Frames) -> Tensor:
        """Logits float32 [B, 2] of the batch as it is, after the steps on it."""
        network = by_batch(self._model, self._config.source_frames)
        optimiser = torch.optim.SGD(network.parameters(), self._config.lr)
        for _ in range(self._config.steps):
            versions = [augmented(frames, self._config, self._generator) for _ in range(self._config.views)]
            loss = marginal_entropy(torch.stack([network(version) for version in versions])).mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            self.steps += 1
        with torch.no_grad():
            logits: Tensor = network(frames)
        return logits


def marginal_entropy(logits: Tensor) -> Tensor:
    """Entropy of the mean prediction over versions, nats, float32 [B], of logits [V, B, 2]."""
    mean = logits.log_softmax(dim=-1).logsumexp(dim=0) - math.log(len(logits))
    return -(mean.exp() * mean).sum(dim=-1)
