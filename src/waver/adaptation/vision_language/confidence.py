"""Entropies of predictions, and the views of a frame that are certain."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from waver.adaptation.methods.tta.norms import entropy


def marginal_entropy(logits: Tensor) -> Tensor:
    """Entropy of the mean prediction of V views, nats: of logits float32 [..., V, C], float32 [...]."""
    mean = logits.log_softmax(dim=-1).logsumexp(dim=-2) - math.log(logits.shape[-2])
    return -(mean * mean.exp()).sum(dim=-1)


def certain_views(logits: Tensor, share: float) -> Tensor:
    """Numbers of the views of least entropy, int64 [..., n] of logits [..., V, C]; n is the share of V, at least 1."""
    spread = entropy(logits.flatten(0, -2)).reshape(logits.shape[:-1])
    order = spread.argsort(dim=-1, stable=True)
    return order[..., : max(1, int(logits.shape[-2] * share))]


class Summary(NamedTuple):
    """One frame as its certain views show it.

    Attributes:
        feature: float32 [1, D], their mean, not normalised again.
        logits: float32 [1, C], their mean.
        entropy: of their mean prediction, nats.
        probability: float32 [1, C], their mean prediction.
        label: class of the mean logits.
    """

    feature: Tensor
    logits: Tensor
    entropy: float
    probability: Tensor
    label: int


def summary(views: Tensor, weights: Tensor, scale: float, share: float) -> Summary:
    """Sum up the views of a frame, as TDA and its successors do.

    Args:
        views: float32 [V, D], of length 1; a single one stands for itself.
        weights: classes, float32 [D, C].
        scale: factor of the cosines.
        share: of the views that count.
    """
    logits = scale * views @ weights
    kept = certain_views(logits.detach(), share)
    chosen = logits[kept]
    mean = chosen.mean(dim=0, keepdim=True)
    return Summary(
        views[kept].mean(dim=0, keepdim=True),
        mean,
        float(marginal_entropy(chosen.detach())),
        chosen.softmax(dim=1).mean(dim=0, keepdim=True),
        int(mean.argmax()),
    )


def unit_entropy(nats: float, classes: int) -> float:
    """Entropy over log2 of the classes, as TDA's release has it: of two classes, nats unchanged."""
    return nats / math.log2(classes)


class Cache:
    """The most certain features of each class, at most ``capacity`` of each.

    Attributes:
        items: class -> (feature [1, D], entropy, probability [1, C]), the most certain first.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self.items: dict[int, list[tuple[Tensor, float, Tensor]]] = {}

    def insert(self, label: int, feature: Tensor, key: float, probability: Tensor) -> None:
        """Take a feature in; a full class gives up its least certain one, if that is less certain."""
        bucket = self.items.setdefault(label, [])
        item = (feature.detach(), key, probability.detach())
        if len(bucket) < self._capacity:
            bucket.append(item)
        elif bucket and key < bucket[-1][1]:
            bucket[-1] = item
        bucket.sort(key=lambda one: one[1])

    def prototypes(self) -> tuple[Tensor, list[int]]:
        """Mean feature of each class there is, float32 [D, n], and the classes."""
        labels = sorted(label for label, bucket in self.items.items() if bucket)
        means = [torch.cat([item[0] for item in self.items[label]]).mean(dim=0) for label in labels]
        return torch.stack(means, dim=1), labels


def affinity_logits(feature: Tensor, keys: Tensor, values: Tensor, alpha: float, beta: float) -> Tensor:
    """What cached features say: alpha exp(-beta (1 - f k)) v, float32 [B, C].

    Args:
        feature: float32 [B, D].
        keys: float32 [D, n].
        values: float32 [n, C].
        alpha: weight.
        beta: sharpness.
    """
    return alpha * torch.exp(-beta * (1 - feature @ keys)) @ values
