"""DPE: dual prototype evolution (Zhang et al., NeurIPS 2024, arXiv 2410.12790)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from waver.adaptation.vision_language.base import Fitted, Prompts, Sees, Start
from waver.adaptation.vision_language.confidence import marginal_entropy
from waver.adaptation.vision_language.people import (
    PeopleCache,
    PeopleStream,
    alignment,
    prediction_entropy,
    prototype_votes,
    summary,
)
from waver.config.sections import Section

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
        return self.begin_people(start, 1)

    def begin_people(self, start: Start, people: int) -> Prototypes:
        """A stream of several people, each with the classes' sentences and an empty cache."""
        return Prototypes(start.weights(self.config.prompts), start.scale, self.config, people)


class Prototypes(PeopleStream):
    """Averaged prototypes of texts, and cached features.

    Attributes:
        texts: float32 [P, D, C]; running means, not normalised.
        averaged: int64 [P], how many were averaged on.
    """

    def __init__(self, weights: Tensor, scale: float, config: Dpe.Config, people: int = 1) -> None:
        super().__init__(people)
        self.texts, self._scale, self._config = weights.repeat(people, 1, 1), scale, config
        width, classes = weights.shape
        self._cache = PeopleCache(people, classes, config.capacity, width)
        self.averaged = torch.zeros(people, dtype=torch.int64)

    def cached(self) -> Tensor:
        """Features in the cache of each person, int64 [P]."""
        return self._cache.sizes()

    def next_frames(self, views: Tensor) -> Tensor:
        """Logits float32 [n, C], each after the step that its frame causes."""
        config, count = self._config, len(views)
        own = self.texts[:count]
        seen = summary(views, moved(own), self._scale, config.share)
        self._cache.insert(seen.label, seen.feature, seen.nats, seen.probability)
        cached, present = self._cache.prototypes(count)
        text_step = torch.zeros_like(own, requires_grad=True)
        image_step = torch.zeros_like(cached, requires_grad=True)
        groups = [{"params": [text_step], "lr": config.text_lr}, {"params": [image_step], "lr": config.image_lr}]
        # its arithmetic is of each number alone, and the loss a sum over people: they do not meet
        optimiser = torch.optim.AdamW(groups, **ADAMW)  # type: ignore[arg-type]
        for _ in range(config.steps):
            texts, images = moved(own, text_step), moved(cached, image_step)
            base = summary(views, texts, self._scale, config.share).logits
            votes = prototype_votes(seen.feature[:, None], images, present, config.alpha, config.beta)
            loss = marginal_entropy(base[:, None] + votes) + config.align * alignment(images, texts, present)
            optimiser.zero_grad()
            loss.sum().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        self.steps[:count] += config.steps
        with torch.no_grad():
            texts, images = moved(own, text_step), moved(cached, image_step)
            votes = prototype_votes(views[:, :1], images, present, config.alpha, config.beta)
            logits = (self._scale * views[:, :1] @ texts + votes)[:, 0]
            average(self.texts, self.averaged, texts, prediction_entropy(logits) < config.confident)
        return logits


def moved(prototypes: Tensor, residual: Tensor | float = 0.0) -> Tensor:
    """Prototypes [n, D, ...] plus a residual, of length 1."""
    return functional.normalize(prototypes + residual, dim=1)


def average(mean: Tensor, averaged: Tensor, value: Tensor, sure: Tensor) -> None:
    """Average prototypes on, in place; the start counts for one.

    Args:
        mean: float32 [P, D, ...], running means.
        averaged: int64 [P], how many each has behind it.
        value: float32 [n, D, ...], of the first n people.
        sure: bool [n], whose are averaged on.
    """
    rows = torch.nonzero(sure).squeeze(1)
    averaged[rows] += 1
    count = averaged[rows].view(-1, *[1] * (mean.dim() - 1))
    mean[rows] = mean[rows] * (count / (count + 1)) + value[rows] / (count + 1)
