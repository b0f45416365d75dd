"""Learning rates and optimisers, of frame models and of image backbones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from waver.config.backbone import ImageRecipe
from waver.config.training import TrainConfig

LEAST_LR = 1e-7
Recipe = TrainConfig | ImageRecipe


def learning_rate(config: Recipe, epoch: int) -> float:
    """Learning rate of an epoch, counted from 1, where the rate changes with the epochs.

    sgd: times .9 after every 50 epochs (the papers'). adamw: half a cosine over ``config.epochs``,
    without warm-up. Both end no lower than 1e-7. ``schedule: cosine``: half a cosine to 0 with either.
    """
    if config.schedule == "cosine":
        return _half_cosine(config.lr, (epoch - 1) / config.epochs, least=0.0)
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


def _half_cosine(highest: float, share: float, least: float = LEAST_LR) -> float:
    return least + max(highest - least, 0) * (1 + math.cos(math.pi * share)) / 2


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
    """The optimiser of all parameters of a frame model."""
    return optimiser_of(decay_groups(model, config), config)


def decay_groups(model: nn.Module, config: Recipe) -> list[dict[str, Any]]:
    """Parameters as groups of an optimiser: all with weight decay, as the papers do, or some apart, without it.

    Without ``config.decay_vectors`` those of one dimension are apart, and those that a module of the model names in
    its ``UNDECAYED``: they have more dimensions and yet are no weights of a layer.
    """
    parameters = list(model.parameters())
    if config.decay_vectors:
        return [{"params": parameters}]
    named = {id(getattr(part, name)) for part in model.modules() for name in getattr(part, "UNDECAYED", ())}
    apart = [parameter.ndim < 2 or id(parameter) in named for parameter in parameters]
    return [
        {"params": [parameter for parameter, out in zip(parameters, apart, strict=True) if not out]},
        {"params": [parameter for parameter, out in zip(parameters, apart, strict=True) if out], "weight_decay": 0.0},
    ]


def optimiser_of(groups: Sequence[dict[str, Any]], config: Recipe) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum .9, or AdamW."""
    if config.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=0.9, nesterov=True, weight_decay=config.weight_decay)
    return torch.optim.AdamW(groups, lr=config.lr, weight_decay=config.weight_decay)
