"""Learning rates and optimisers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from waver.config.training import TrainConfig

LEAST_LR = 1e-7


def learning_rate(config: TrainConfig, epoch: int) -> float:
    """Learning rate of an epoch, counted from 1, where the rate changes with the epochs.

    sgd: times .9 after every 50 epochs (the papers'). adamw: half a cosine over ``config.epochs``,
    without warm-up. Both end no lower than 1e-7.
    """
    if config.optimiser == "sgd":
        return max(config.lr * 0.9 ** ((epoch - 1) // 50), LEAST_LR)
    return _half_cosine(config.lr, (epoch - 1) / config.epochs)


def step_rate(config: TrainConfig, step: int, steps: int) -> float:
    """Learning rate of a step, counted from 0, of ``steps`` in all, where the rate changes with the steps.

    It rises on a line over the first ``config.warmup`` of the steps and falls on half a cosine over the rest.
    """
    rising = round(config.warmup * steps)
    if step < rising:
        return config.lr * (step + 1) / rising
    return _half_cosine(config.lr, (step - rising) / max(1, steps - rising))


def _half_cosine(highest: float, share: float) -> float:
    return LEAST_LR + max(highest - LEAST_LR, 0) * (1 + math.cos(math.pi * share)) / 2


@dataclass(frozen=True)
class Pace:
    """Sets the learning rate of each step of one epoch.

    Attributes:
        config: the recipe.
        epoch: counted from 1.
        steps: of every epoch.
    """

    config: TrainConfig
    epoch: int
    steps: int

    def set(self, optimiser: torch.optim.Optimizer, step: int) -> float:
        """Give the rate of a step of this epoch, counted from 0, to the optimiser, and return it."""
        if self.config.schedule == "epochs":
            lr = learning_rate(self.config, self.epoch)
        else:
            lr = step_rate(self.config, (self.epoch - 1) * self.steps + step, self.config.epochs * self.steps)
        for group in optimiser.param_groups:
            group["lr"] = lr
        return lr


def make_optimiser(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum .9, or AdamW; weight decay on every parameter, as the papers do, or on matrices."""
    groups = [{"params": list(model.parameters())}]
    if not config.decay_vectors:
        vectors = [parameter for parameter in model.parameters() if parameter.ndim < 2]
        others = [parameter for parameter in model.parameters() if parameter.ndim >= 2]
        groups = [{"params": others}, {"params": vectors, "weight_decay": 0.0}]  # type: ignore[dict-item]
    if config.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=0.9, nesterov=True, weight_decay=config.weight_decay)
    return torch.optim.AdamW(groups, lr=config.lr, weight_decay=config.weight_decay)
