"""SHOT: source hypothesis transfer (Liang et al., ICML 2020, arXiv 2002.08546)."""

from __future__ import annotations

import copy
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from waver.adaptation.base import Needs, Network, SourceView, TargetView, represented
from waver.adaptation.methods.sfda.marginal import SourceFreeConfig, entropy, log_prior, marginal_wanted
from waver.adaptation.sgd import Schedule, descend

_TINY = 1e-8


class Shot:
    """The last layer stays; the rest learns confident, diverse predictions and agrees with pseudo-labels.

    These are recomputed in each epoch.
    """

    class Config(SourceFreeConfig):
        """Schedule of the dataset paper (appendix E.3), weights of the losses of the SHOT paper."""

        information: float = Field(1.0, ge=0, description="weight of information maximisation")
        pseudo: float = Field(0.3, ge=0, description="weight of the cross-entropy with the pseudo-labels")

    needs: ClassVar[Needs] = Needs(body=True)

    def __init__(self, config: Config) -> None:
        self.config = config

    def adapt(self, model: Network, target: TargetView, source: SourceView | None, seed: int) -> Network:
        """Copy of the network with the same last layer, bit for bit, and the rest adapted."""
        config = self.config
        adapted = copy.deepcopy(model)
        labels = pseudo_labels(*represented(adapted, target))
        adapted.record_labels(labels)
        prior = marginal_wanted(config, adapted, target)
        generator = torch.Generator().manual_seed(seed)

        def loss(rows: Tensor) -> Tensor:
            logits = adapted(target.frames(rows))
            information = information_loss(logits.softmax(dim=1), prior)
            agreement = functional.cross_entropy(logits, labels[target.rows(rows)])
            return config.information * information + config.pseudo * agreement

        schedule = Schedule(config.lr, config.epochs, config.batch, config.weight_decay)

        def batches() -> list[Tensor]:
            return target.batches(config.batch, generator)

        adapted.last_layer.requires_grad_(False)
        for _ in descend(adapted, adapted.body(), schedule, batches, loss):
            labels = pseudo_labels(*represented(adapted, target))
            adapted.record_labels(labels)
        adapted.last_layer.requires_grad_(True)
        return adapted


def information_loss(probabilities: Tensor, prior: Tensor | None) -> Tensor:
    """Mean entropy of the predictions, minus how far their mean may be from the prior (SHOT, equation 2).

    Args:
        probabilities: float32 [B, K].
        prior: float32 [K]; the loss is then H of each - H of the mean - sum of mean * ln(K prior),
            which is the paper's for the uniform prior and differs from the divergence of the mean
            from the prior by ln K alone. None: the entropy of each prediction alone.
    """
    each = entropy(probabilities).mean()
    if prior is None:
        return each
    mean = probabilities.mean(dim=0)
    return each - entropy(mean) - (mean * log_prior(prior)).sum()


def pseudo_labels(features: Tensor, logits: Tensor, rounds: int = 2) -> Tensor:
    """Labels by the nearest class centroid (SHOT, equations 4 and 5).

    Centroids are weighted by the soft predictions in the first round and by the labels of the round
    before in the next. A class that nothing is predicted as has no centroid that means anything and
    takes no part.

    Args:
        features: float32 [N, D], before the last layer.
        logits: float32 [N, K].
        rounds: rounds of centroids and labels.

    Returns:
        int64 [N].
    """
    points = functional.normalize(functional.pad(features, (0, 1), value=1.0), dim=1)
    weights, labels = logits.softmax(dim=1), logits.argmax(dim=1)
    classes = logits.shape[1]
    for _ in range(rounds):
        centroids = weights.T @ points / (_TINY + weights.sum(dim=0)[:, None])
        empty = torch.bincount(labels, minlength=classes) == 0
        similarity = points @ functional.normalize(centroids, dim=1).T
        labels = similarity.masked_fill(empty, -torch.inf).argmax(dim=1)
        weights = functional.one_hot(labels, classes).to(points.dtype)
    return labels
