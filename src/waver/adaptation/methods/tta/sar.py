"""SAR: sharpness-aware and reliable entropy minimisation (Niu et al., ICLR 2023, arXiv 2302.12400)."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from waver.adaptation.base import Frames, Needs, Network, SourceView
from waver.adaptation.methods.tta.norms import AffineStream, StreamConfig, entropy

_MEMORY = 0.9
_TINY = 1e-12


class Sar:
    """Entropy of reliable frames is minimised where it is flat, and a model that collapses begins anew."""

    class Config(StreamConfig):
        """Settings of the authors' release, entropies rescaled from its thousand classes to two."""

        lr: float = Field(2.5e-4, gt=0, description="learning rate of SGD with momentum .9")
        rho: float = Field(0.05, gt=0, description="radius of the neighbourhood that is to be flat")
        entropy_margin: float = Field(
            0.4, gt=0, le=1, description="a reliable frame has less entropy than this share of the largest, ln 2"
        )
        reset_below: float = Field(
            0.2 * math.log(2) / math.log(1000),
            ge=0,
            description="running mean of the entropy, nats, under which the source's parameters are taken again",
        )

    needs: ClassVar[Needs] = Needs(stream=True, norms=True)

    def __init__(self, config: Config) -> None:
        self.config = config
        self.batch = config.batch

    def begin(self, model: Network, source: SourceView | None, seed: int) -> FlatStream:
        """A stream with the source's scale and shift."""
        return FlatStream(model, self.config)


class FlatStream(AffineStream):
    """Takes the gradient at the worst point nearby (sharpness-aware minimisation)."""

    def __init__(self, model: Network, config: Sar.Config) -> None:
        super().__init__(model)
        self._config = config
        self._margin = config.entropy_margin * math.log(2)
        self._start = [parameter.detach().clone() for parameter in self.affine]
        self._begin()

    def _begin(self) -> None:
        self._optimiser = torch.optim.SGD(self.affine, self._config.lr, 0.9)
        self._mean: float | None = None

    def update(self, frames: Frames, logits: Tensor) -> None:
        """One step, where a frame is reliable before and after the move to the worst point nearby."""
        own = entropy(logits)
        reliable = own.detach() < self._margin
        if not bool(reliable.any()):
            return
        move = self._move(own[reliable].mean())
        self._shift(move, 1.0)
        again = entropy(self.logits(frames))[reliable]
        still = again.detach() < self._margin
        if bool(still.any()):
            loss = again[still].mean()
            self._optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
        self._shift(move, -1.0)
        if bool(still.any()):
            self._optimiser.step()
            self.steps += 1
            self._reset_if_collapsed(loss.item())

    def _move(self, loss: Tensor) -> list[Tensor]:
        gradients = self.gradients(loss)
        norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
        return [self._config.rho * gradient / (norm + _TINY) for gradient in gradients]

    @torch.no_grad()
    def _shift(self, move: list[Tensor], sign: float) -> None:
        for parameter, part in zip(self.affine, move, strict=True):
            parameter.add_(part, alpha=sign)

    def _reset_if_collapsed(self, loss: float) -> None:
        self._mean = loss if self._mean is None else _MEMORY * self._mean + (1 - _MEMORY) * loss
        if self._mean < self._config.reset_below:
            with torch.no_grad():
                for parameter, start in zip(self.affine, self._start, strict=True):
                    parameter.copy_(start)
            self._begin()
