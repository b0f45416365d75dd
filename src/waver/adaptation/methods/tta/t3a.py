"""T3A: test-time template adjuster (Iwasawa and Matsuo, NeurIPS 2021)."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from waver.adaptation.base import Frames, Needs, Network, SourceView
from waver.adaptation.methods.tta.norms import StreamConfig, entropy


class T3a:
    """A frame is compared with the mean of the most certain frames of each class so far; nothing is trained."""

    class Config(StreamConfig):
        """The largest bounded number of supports in the paper's search."""

        supports: int = Field(100, ge=0, description="most certain frames kept of each class; 0: all")

    needs: ClassVar[Needs] = Needs(stream=True)

    def __init__(self, config: Config) -> None:
        self.config = config
        self.batch = config.batch

    def begin(self, model: Network, source: SourceView | None, seed: int) -> Templates:
        """A stream whose supports are the rows of the last layer's weights."""
        return Templates(model, self.config.supports)


class Templates:
    """Supports of each class: unit vectors, the last layer's own row first."""

    def __init__(self, model: Network, most: int) -> None:
        self._model, self._most, self.steps = model.eval(), most, 0
        weight = model.class_rows.detach()
        self._points = functional.normalize(weight, dim=1)
        self._labels = torch.arange(len(weight))
        with torch.no_grad():
            self._entropy = entropy(model.judge(weight))

    @property
    def chosen(self) -> int:
        """Supports, the layer's own rows among them."""
        return len(self._points)

    @torch.no_grad()
    def predict(self, frames: Frames) -> Tensor:
        """Logits float32 [B, 2] of B frames, by templates that hold these frames already."""
        features = self._model.represent(frames)
        logits = self._model.judge(features)
        self._points = torch.cat([self._points, functional.normalize(features, dim=1)])
        self._labels = torch.cat([self._labels, logits.argmax(dim=1)])
        self._entropy = torch.cat([self._entropy, entropy(logits)])
        self._keep_most_certain(logits.shape[1])
        sums = functional.one_hot(self._labels, logits.shape[1]).to(self._points.dtype).T @ self._points
        return features @ functional.normalize(sums, dim=1).T

    def _keep_most_certain(self, classes: int) -> None:
        if not self._most:
            return
        order = self._entropy.argsort(stable=True)
        kept = torch.cat([order[self._labels[order] == value][: self._most] for value in range(classes)])
        self._points, self._labels, self._entropy = self._points[kept], self._labels[kept], self._entropy[kept]
