"""DPE: dual prototype evolution (Zhang et al., NeurIPS 2024, arXiv 2410.12790)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from waver.adaptation.methods.tta.norms import entropy
from waver.adaptation.vision_language.base import Fitted, Frames, Prompts, Sees, Start
from waver.adaptation.vision_language.confidence import (
    Cache,
    affinity_logits,
    marginal_entropy,
    summary,
    unit_entropy,
)
from waver.config.sections import Section

TEMPERATURE = 0.01
"""Of the alignment of prototypes of both kinds."""
ADAMW = {"eps": 1e-3, "weight_decay": 0.1}


class Dpe:
    """Prototypes of texts and of cached frames, moved by one step for each frame; those of texts are averaged on."""

    class Config(Section):
        """The release's values for ImageNet; UCF101: alpha 9, beta 8, rates 4e-4, align .2; EuroSAT: 3, 8, 5e-5, .2."""

        prompts: Prompts = Field("ensemble", description="sentences of the classes")
        views: bool = Field(False, description="look at the certain views of a frame, not at the frame alone")
        share: float = Field(0.1, gt=0, le=1, description="share of the views that count")
        capacity: int = Field(3, ge=1, description="cached features of each class")
        alpha: float = Field(6.0, ge=0, description="weight of the cached features")
        beta: float = Field(5.0, gt=0, description="their sharpness")
        text_lr: float = Field(6e-4, ge=0, description="rate of the residual of the texts")
        image_lr: float = Field(6e-4, ge=0, description="rate of the residual of the cached features")
        align: float = Field(0.5, ge=0, description="weight of the alignment of both kinds of prototypes")
        steps: int = Field(1, ge=0, description="steps for each frame")
        confident: float = Field(0.1, ge=0, description="entropy below which the texts are averaged on, nats")

    batch = 1

    def __init__(self, config: Config) -> None:
        self.config = config
        self.sees = Sees(views=config.views)

    def begin(self, start: Start, fitted: Fitted, known: Tensor, seed: int) -> Prototypes:
        """A stream that begins with the classes' sentences and an empty cache."""
        return Prototypes(start.weights(self.config.prompts), start.scale, self.config)


class Prototypes:
    """Averaged prototypes of texts, and cached features.

    Attributes:
        texts: float32 [D, C]; a running mean, not normalised.
        averaged: how many were averaged on.
    """

    def __init__(self, weights: Tensor, scale: float, config: Dpe.Config) -> None:
        self.texts, self._scale, self._config = weights, scale, config
        self._cache = Cache(config.capacity)
        self.averaged = self.steps = 0

    def predict(self, frames: Frames) -> Tensor:
        """Logits float32 [B, 2], each after the step that its frame causes."""
        return torch.cat([self._one(views) for views in frames.views])

    def _one(self, views: Tensor) -> Tensor:
        config, classes = self._config, self.texts.shape[1]
        seen = summary(views, functional.normalize(self.texts, dim=0), self._scale, config.share)
        self._cache.insert(seen.label, seen.feature, unit_entropy(seen.entropy, classes), seen.probability)
        cached, labels = self._cache.prototypes()
        values = functional.one_hot(torch.tensor(labels), classes).float()
        text_step = torch.zeros_like(self.texts, requires_grad=True)
        image_step = torch.zeros_like(cached, requires_grad=True)
        groups = [{"params": [text_step], "lr": config.text_lr}, {"params": [image_step], "lr": config.image_lr}]
        optimiser = torch.optim.AdamW(groups, **ADAMW)  # type: ignore[arg-type]
        for _ in range(config.steps):
            texts, images = moved(self.texts, text_step), moved(cached, image_step)
            base = summary(views, texts, self._scale, config.share)
            final = base.logits + affinity_logits(seen.feature, images, values, config.alpha, config.beta)
            loss = marginal_entropy(final) + config.align * alignment(images, texts[:, labels])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            self.steps += 1
        with torch.no_grad():
            texts, images = moved(self.texts, text_step), moved(cached, image_step)
            plain = views[:1]
            logits = self._scale * plain @ texts + affinity_logits(plain, images, values, config.alpha, config.beta)
            self._average(texts, float(entropy(logits)))
        return logits

    def _average(self, texts: Tensor, nats: float) -> None:
        if unit_entropy(nats, texts.shape[1]) < self._config.confident:
            self.averaged += 1
            self.texts = running_mean(self.texts, texts, self.averaged)


def moved(prototypes: Tensor, residual: Tensor) -> Tensor:
    """Prototypes [D, ...] plus a residual, of length 1."""
    return functional.normalize(prototypes + residual, dim=0)


def running_mean(mean: Tensor, value: Tensor, count: int) -> Tensor:
    """The mean after the ``count``-th value, where the start counts for one more."""
    return mean * (count / (count + 1)) + value / (count + 1)


def alignment(images: Tensor, texts: Tensor) -> Tensor:
    """InfoNCE of prototypes [D, n] of the same classes: those of images are the queries; 0 for a single class."""
    cosines = functional.normalize(images, dim=0).T @ functional.normalize(texts, dim=0)
    return functional.cross_entropy(cosines / TEMPERATURE, torch.arange(cosines.shape[0]))
