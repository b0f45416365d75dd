"""MMD: adaptation by maximum mean discrepancy (Gretton et al., JMLR 2012; Long et al., ICML 2015)."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from waver.adaptation.base import Frames, Needs, Network, SourceView, TargetView
from waver.adaptation.methods.uda.paired_batches import SourceBatches, UdaConfig, common_batch, whole_batches
from waver.adaptation.sgd import Schedule, descend

KERNELS, MULTIPLIER = 5, 2.0
_TINY = 1e-12


class Mmd:
    """Source frames are classified, and their features before the last layer pulled to the target's distribution.

    Both batches pass through the batch norm together, so that one set of statistics serves both, in training as in
    prediction.
    """

    class Config(UdaConfig):
        """Nothing beside the schedule."""

    needs: ClassVar[Needs] = Needs(source=True)

    def __init__(self, config: Config) -> None:
        self.config = config

    def adapt(self, model: Network, target: TargetView, source: SourceView | None, seed: int) -> Network:
        """Copy of the network with all of it adapted."""
        assert source is not None
        every = torch.arange(len(target.features))
        return align(model, target, source, self.config, seed, lambda adapted, epoch: every)


Choose = Callable[[Network, int], Tensor]
"""Network so far and epoch from 0 -> rows of the target to align, int64."""
More = Callable[[Tensor, Tensor], Tensor | None]
"""Logits float32 [B, 2] and rows int64 [B] of target frames -> what is added to the loss, if anything."""


def align(
    model: Network,
    target: TargetView,
    source: SourceView,
    config: UdaConfig,
    seed: int,
    choose: Choose,
    more: More = lambda logits, rows: None,
) -> Network:
    """Copy of a network, trained on pairs of a source and a target batch.

    Args:
        model: the network as it was.
        target: unlabelled frames of the participant.
        source: labelled source frames.
        config: schedule and weight of the discrepancy.
        seed: of the order of frames.
        choose: called at the start of each epoch.
        more: loss of a target batch beside the discrepancy.
    """
    adapted = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(seed)
    batch = common_batch(config.batch, len(target.features), len(source.labels))
    drawn = SourceBatches(source, batch, config.source_prior, generator)
    epochs = itertools.count()

    def rows() -> Tensor:
        chosen = choose(adapted, next(epochs))
        drawn.shuffle()
        # a whole batch even of few chosen frames: each step has as many source frames as target frames
        times = -(-batch // len(chosen))
        order = whole_batches(len(chosen) * times, batch, drawn.batches, generator)
        return chosen[order % len(chosen)]

    def loss(rows: Tensor) -> Tensor:
        known, labels = drawn.next()
        value, logits = joint_loss(adapted, known, labels, target.frames(rows), config.weight)
        added = more(logits, rows)
        return value if added is None else value + added

    schedule = Schedule(config.lr, config.epochs, batch, config.weight_decay, nesterov=False, decay="cosine")
    for _ in descend(adapted, adapted.parameters(), schedule, rows, loss):
        pass
    return adapted


def joint_loss(model: Network, known: Frames, labels: Tensor, unknown: Frames, weight: float) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the source batch plus the weighted discrepancy of both.

    Args:
        model: in training mode.
        known: B source frames.
        labels: int64 [B].
        unknown: B' target frames.
        weight: of the discrepancy.

    Returns:
        The loss, and the logits float32 [B', 2] of the target frames.
    """
    features = model.represent(torch.cat([known, unknown]))
    logits = model.judge(features)
    own, other = features[: len(known)], features[len(known) :]
    return functional.cross_entropy(logits[: len(known)], labels) + weight * mmd(own, other), logits[len(known) :]


def mmd(first: Tensor, second: Tensor) -> Tensor:
    """Squared maximum mean discrepancy, biased, by a sum of five Gaussian kernels.

    Their bandwidths are the mean squared distance of two different rows, times 1/4 to 4; no gradient passes through
    them. So the value does not change where both inputs are scaled alike.

    Args:
        first: float [N, D].
        second: float [M, D].
    """
    rows = torch.cat([first, second])
    # by products of rows about their mean: a tensor of all differences would hold 256 times as much
    rows = rows - rows.detach().mean(dim=0)
    lengths, count = rows.square().sum(dim=1), len(rows)
    distance = (lengths[:, None] + lengths - 2 * rows @ rows.T).clamp(min=0)
    mean = (distance.detach().sum() / (count * count - count)).clamp(min=_TINY)
    kernel = torch.stack(
        [torch.exp(-distance / (mean * MULTIPLIER ** (number - KERNELS // 2))) for number in range(KERNELS)]
    ).sum(dim=0)
    border = len(first)
    within = kernel[:border, :border].mean() + kernel[border:, border:].mean()
    return within - 2 * kernel[:border, border:].mean()
