"""Stochastic gradient descent over frames held in memory: the one loop of source model and methods."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from waver.adaptation.base import Network


@dataclass(frozen=True)
class Schedule:
    """A schedule of SGD with momentum.

    Attributes:
        lr: learning rate at the start.
        epochs: passes over the rows.
        batch: frames per step; a last batch of one frame is skipped, batch norm cannot take it.
        weight_decay: of every parameter trained.
        momentum: momentum.
        nesterov: Nesterov's form of it.
        decay: ``power`` is lr * (1 + 10 t)^-0.75 (SHOT), ``cosine`` falls to a tenth (dataset
            paper, appendix E.3); t is the share of steps done.
    """

    lr: float
    epochs: int
    batch: int
    weight_decay: float
    momentum: float = 0.9
    nesterov: bool = True
    decay: Literal["power", "cosine"] = "power"

    def lr_at(self, done: float) -> float:
        """Learning rate when the share ``done`` (0 to 1) of the steps lies behind."""
        if self.decay == "power":
            return float(self.lr * (1 + 10 * done) ** -0.75)
        return self.lr * (0.1 + 0.45 * (1 + math.cos(math.pi * done)))


def descend(
    model: Network,
    parameters: Iterable[nn.Parameter],
    schedule: Schedule,
    rows: Callable[[], Tensor] | Callable[[], Sequence[Tensor]],
    loss: Callable[[Tensor], Tensor],
) -> Iterator[float]:
    """Train in place; yields the mean loss after each epoch.

    Args:
        model: set to training mode at the start of each epoch; its ``steps`` are counted, and ``watch`` called after
            it.
        parameters: those to change.
        schedule: how fast, how long.
        rows: called once an epoch; int64 [n], rows to visit in this order, or the batches themselves.
        loss: scalar loss of a batch of rows.
    """
    optimiser = torch.optim.SGD(
        parameters, schedule.lr, schedule.momentum, weight_decay=schedule.weight_decay, nesterov=schedule.nesterov
    )
    for epoch in range(schedule.epochs):
        visited = rows()
        batches = visited
        if isinstance(visited, Tensor):
            batches = [batch for batch in torch.split(visited, schedule.batch) if len(batch) > 1]
        model.train()
        total = 0.0
        for number, batch in enumerate(batches):
            optimiser.param_groups[0]["lr"] = schedule.lr_at((epoch + number / len(batches)) / schedule.epochs)
            optimiser.zero_grad()
            value = loss(batch)
            value.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total += value.item()
        model.steps += len(batches)
        if model.watch is not None:
            model.watch(model)
        yield total / max(len(batches), 1)
