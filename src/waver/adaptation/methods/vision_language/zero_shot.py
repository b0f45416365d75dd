"""CLIP as it is, the row that every method of this kind is compared with."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from waver.adaptation.vision_language.base import Fitted, Frames, Prompts, Sees, Start
from waver.config.sections import Section


class ZeroShot:
    """No adaptation: a frame's class is that of the nearer sentence."""

    class Config(Section):
        """Which sentences."""

        prompts: Prompts = Field("template", description="template: one sentence; ensemble: the mean of several")

    batch = 256
    sees = Sees()

    def __init__(self, config: Config) -> None:
        self.config = config

    def begin(self, start: Start, fitted: Fitted, known: Tensor, seed: int) -> Nearest:
        """A stream that stays as it is."""
        return Nearest(start.weights(self.config.prompts), start.scale)


class Nearest:
    """Cosines with the classes."""

    def __init__(self, weights: Tensor, scale: float) -> None:
        self._weights, self._scale, self.steps = weights, scale, 0

    def predict(self, frames: Frames) -> Tensor:
        """Logits float32 [B, 2]."""
        return self._scale * frames.feature @ self._weights
