"""EATA: efficient anti-forgetting test-time adaptation (Niu et al., ICML 2022, arXiv 2204.02610)."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from waver.adaptation.base import Frames, Needs, Network, SourceView
from waver.adaptation.methods.tta.norms import AffineStream, StreamConfig, entropy

_MEMORY = 0.9


class Eata:
    """TENT on reliable frames alone, each weighted by its certainty, held near the source where that matters to it.

    With two classes all confident predictions of one class point the same way, so that the release's filter of
    redundant frames would reject nearly all; it is off by default.
    """

    class Config(StreamConfig):
        """Settings of the authors' release, entropies rescaled to two classes."""

        lr: float = Field(2.5e-4, gt=0, description="learning rate of SGD with momentum .9")
        entropy_margin: float = Field(
            0.4, gt=0, le=1, description="a reliable frame has less entropy than this share of the largest, ln 2"
        )
        similarity_margin: float = Field(
            1.0, gt=0, le=1, description="cosine with the mean prediction from which a frame is redundant; 1: off"
        )
        fisher: float = Field(2000.0, ge=0, description="weight of the distance from the source's parameters")
        fisher_frames: int = Field(2000, ge=1, description="source frames that show which parameters matter")

    needs: ClassVar[Needs] = Needs(source=True, stream=True, norms=True)

    def __init__(self, config: Config) -> None:
        self.config = config
        self.batch = config.batch

    def begin(self, model: Network, source: SourceView | None, seed: int) -> WeightedStream:
        """A stream with the source's scale and shift, and their importance by source frames, without their labels."""
        assert source is not None
        generator = torch.Generator().manual_seed(seed)
        rows = torch.randperm(len(source.features), generator=generator)[: self.config.fisher_frames]
        return WeightedStream(model, torch.from_numpy(source.features)[rows], self.config)


class WeightedStream(AffineStream):
    """Minimises the weighted entropy of reliable frames, with a penalty on change."""

    def __init__(self, model: Network, source: Tensor, config: Eata.Config) -> None:
        super().__init__(model)
        self._config = config
        self._start = [parameter.detach().clone() for parameter in self.affine]
        self._importance = self._fisher(source)
        self._mean: Tensor | None = None
        self._optimiser = torch.optim.SGD(self.affine, config.lr, 0.9)

    def update(self, frames: Frames, logits: Tensor) -> None:
        """One step, where a frame is reliable and not redundant."""
        margin = self._config.entropy_margin * math.log(2)
        kept, own = self._kept(logits.detach().softmax(dim=1), entropy(logits.detach()) < margin), entropy(logits)
        if not bool(kept.any()):
            return
        weight = torch.exp(margin - own.detach()[kept])
        loss = (weight * own[kept]).mean()
        for parameter, start, importance in zip(self.affine, self._start, self._importance, strict=True):
            loss = loss + self._config.fisher * (importance * (parameter - start).square()).sum()
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self.steps += 1

    def _kept(self, probabilities: Tensor, reliable: Tensor) -> Tensor:
        if self._config.similarity_margin < 1 and self._mean is not None:
            similarity = functional.cosine_similarity(self._mean[None], probabilities, dim=1)
            reliable = reliable & (similarity.abs() < self._config.similarity_margin)
        if bool(reliable.any()):
            mean = probabilities[reliable].mean(dim=0)
            self._mean = mean if self._mean is None else _MEMORY * self._mean + (1 - _MEMORY) * mean
        return reliable

    def _fisher(self, source: Tensor) -> list[Tensor]:
        """Mean over batches of the squared gradient of the cross-entropy with the model's own decisions."""
        batches = [batch for batch in torch.split(source, self._config.batch) if len(batch) > 1] or [source]
        squares = [torch.zeros_like(parameter) for parameter in self.affine]
        for batch in batches:
            logits = self.logits(batch)
            gradients = self.gradients(functional.cross_entropy(logits, logits.argmax(dim=1)))
            for square, gradient in zip(squares, gradients, strict=True):
                square += gradient.square() / len(batches)
        return squares
