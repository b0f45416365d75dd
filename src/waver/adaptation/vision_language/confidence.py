"""Entropies of predictions, and the views of a frame that are certain."""

from __future__ import annotations

import math

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


def unit_entropy(nats: Tensor, classes: int) -> Tensor:
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
