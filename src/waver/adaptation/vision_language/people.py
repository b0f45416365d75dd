"""People whose frames arrive side by side: caches and views of all of them in one tensor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from waver.adaptation.methods.tta.norms import entropy
from waver.adaptation.vision_language.base import Frames
from waver.adaptation.vision_language.confidence import certain_views, marginal_entropy, unit_entropy


class PeopleStream(ABC):
    """A model that adapts to P people at once, each alone. Each step brings one frame of the first n people.

    Attributes:
        steps: int64 [P], optimiser steps taken for each.
    """

    def __init__(self, people: int) -> None:
        self.steps = torch.zeros(people, dtype=torch.int64)

    @abstractmethod
    def cached(self) -> Tensor:
        """Frames in the caches of each person, int64 [P]."""

    @property
    def chosen(self) -> int:
        """Those of the only person."""
        return int(self.cached()[0])

    @abstractmethod
    def next_frames(self, views: Tensor) -> Tensor:
        """Logits float32 [n, C] of the next frame of each of the first n people; adapts to them as well.

        Args:
            views: float32 [n, V, D], of length 1, the frame as it is first.
        """

    def predict(self, frames: Frames) -> Tensor:
        """Logits float32 [B, C] of the next frames of the only person."""
        return torch.cat([self.next_frames(views[None]) for views in frames.views])


class Summary(NamedTuple):
    """One frame of each of n people as its certain views show it.

    Attributes:
        feature: float32 [n, D], their mean, not normalised again.
        logits: float32 [n, C], their mean.
        nats: float32 [n], entropy of their mean prediction, over log2 of the classes as in TDA's release.
        probability: float32 [n, C], their mean prediction.
        label: int64 [n], class of the mean logits.
    """

    feature: Tensor
    logits: Tensor
    nats: Tensor
    probability: Tensor
    label: Tensor


def summary(views: Tensor, weights: Tensor, scale: float, share: float) -> Summary:
    """Sum up the views of a frame of each person, as TDA and its successors do.

    Args:
        views: float32 [n, V, D], of length 1; a single one stands for itself.
        weights: classes, float32 [D, C] or [n, D, C].
        scale: factor of the cosines.
        share: of the views that count.
    """
    # one product for each person: how a product is rounded depends on its size, and with it on who else is there
    logits = scale * views @ weights.expand(len(views), -1, -1)
    kept = certain_views(logits.detach(), share)[..., None]
    chosen = logits.gather(1, kept.expand(-1, -1, logits.shape[-1]))
    mean = chosen.mean(dim=1)
    return Summary(
        views.gather(1, kept.expand(-1, -1, views.shape[-1])).mean(dim=1),
        mean,
        unit_entropy(marginal_entropy(chosen.detach()), logits.shape[-1]),
        chosen.detach().softmax(dim=-1).mean(dim=1),
        mean.argmax(dim=1),
    )


class PeopleCache:
    """For each person the most certain features of each class, at most K of each, the most certain first.

    Attributes:
        feature: float32 [P, C, K, D].
        key: float32 [P, C, K], what they are sorted by; infinite where there is none.
        probability: float32 [P, C, K, C].
    """

    def __init__(self, people: int, classes: int, capacity: int, width: int) -> None:
        self.feature = torch.zeros(people, classes, capacity, width)
        self.key = torch.full((people, classes, capacity), torch.inf)
        self.probability = torch.zeros(people, classes, capacity, classes)

    @torch.no_grad()
    def insert(
        self, label: Tensor, feature: Tensor, key: Tensor, probability: Tensor, wanted: Tensor | None = None
    ) -> None:
        """Take in one feature of each of the first n people; a full class gives up its least certain, if less certain.

        Args:
            label: int64 [n].
            feature: float32 [n, D].
            key: float32 [n].
            probability: float32 [n, C].
            wanted: bool [n], whose feature is taken in; None: everybody's.
        """
        if not self.key.shape[2]:
            return
        better = key < self.key[torch.arange(len(label)), label, -1]
        person = torch.nonzero(better if wanted is None else better & wanted).squeeze(1)
        own = (person, label[person])
        keys = torch.cat([self.key[own][:, :-1], key[person, None]], dim=1)
        order = keys.argsort(dim=1, stable=True)
        self.key[own] = keys.gather(1, order)
        for kept, new in ((self.feature, feature), (self.probability, probability)):
            values = torch.cat([kept[own][:, :-1], new[person, None]], dim=1)
            kept[own] = values.gather(1, order[..., None].expand(-1, -1, values.shape[2]))

    def sizes(self) -> Tensor:
        """Features of each person, int64 [P]."""
        return (self.key < torch.inf).sum(dim=(1, 2))

    def votes(self, feature: Tensor, alpha: float, beta: float) -> Tensor:
        """What each cached feature says to a person's frame, alpha exp(-beta (1 - f k)): float32 [n, C, K]; 0 of none.

        Args:
            feature: float32 [n, D].
            alpha: weight.
            beta: sharpness.
        """
        count = len(feature)
        likeness = torch.einsum("bd,bckd->bck", feature, self.feature[:count])
        return alpha * torch.exp(-beta * (1 - likeness)) * (self.key[:count] < torch.inf)

    def prototypes(self, count: int) -> tuple[Tensor, Tensor]:
        """Mean feature of each class, float32 [n, D, C], 0 where there is none, and where there is one, bool [n, C]."""
        filled = (self.key[:count] < torch.inf).to(self.feature.dtype)
        number = filled.sum(dim=2)
        mean = torch.einsum("nckd,nck->ndc", self.feature[:count], filled) / number.clamp(min=1)[:, None]
        return mean, number > 0


def prototype_votes(views: Tensor, prototypes: Tensor, present: Tensor, alpha: float, beta: float) -> Tensor:
    """What prototypes say for their class, alpha exp(-beta (1 - f k)): float32 [n, V, C]; 0 of classes that have none.

    Args:
        views: float32 [n, V, D].
        prototypes: float32 [n, D, C].
        present: bool [n, C].
        alpha: weight.
        beta: sharpness.
    """
    return alpha * torch.exp(-beta * (1 - views @ prototypes)) * present[:, None]


def alignment(images: Tensor, texts: Tensor, present: Tensor, temperature: float = 0.01) -> Tensor:
    """InfoNCE of prototypes [n, D, C] of the same classes, float32 [n]; those of images are the queries.

    Args:
        images: float32 [n, D, C], of length 1.
        texts: float32 [n, D, C], of length 1.
        present: bool [n, C], classes that there are of images; 0 for a single one.
        temperature: of the cosines.
    """
    cosines = (images.transpose(1, 2) @ texts).masked_fill(~present[:, None], -torch.inf) / temperature
    own = cosines.log_softmax(dim=2).diagonal(dim1=1, dim2=2)
    return -torch.where(present, own, 0.0).sum(dim=1) / present.sum(dim=1)


def prediction_entropy(logits: Tensor) -> Tensor:
    """Entropy of predictions [n, C], over log2 of the classes as in TDA's release: float32 [n]."""
    return unit_entropy(entropy(logits), logits.shape[-1])
