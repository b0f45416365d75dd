"""Learning rates by epoch and by step."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.optim.lr_scheduler import LambdaLR

from waver.config.backbone import ImageRecipe
from waver.config.training import TrainConfig
from waver.config.videos import VideosConfig
from waver.config.zeroshot import FinetuneConfig

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


def step_rate(config: TrainConfig | FinetuneConfig, step: int, steps: int) -> float:
    """Learning rate of a step, counted from 0, of ``steps`` in all, where the rate changes with the steps.

    It rises on a line over the first ``config.warmup`` of the steps and falls on half a cosine over the rest.
    """
    rising = round(config.warmup * steps)
    if step < rising:
        return config.lr * (step + 1) / rising
    return _half_cosine(config.lr, (step - rising) / max(1, steps - rising))


def cosine_after_warm_up(config: VideosConfig, epochs: float) -> float:
    """Learning rate after so many epochs: up on a line during the warm-up, then down to 0 on half a cosine."""
    if epochs < config.warm_up:
        return config.lr * epochs / config.warm_up
    share = (epochs - config.warm_up) / max(config.epochs - config.warm_up, 1e-9)
    return config.lr * (1 + math.cos(math.pi * min(share, 1.0))) / 2


def line_after_warm_up(step: int, steps: int, warm_up: float) -> float:
    """Share of the highest rate at a step, counted from 0: up on a line, then down to 0 on another.

    Args:
        step: number of the step.
        steps: of the training.
        warm_up: share of the steps in which it rises.
    """
    rising = max(1, round(steps * warm_up))
    return (step + 1) / rising if step < rising else max(0.0, (steps - step) / max(1, steps - rising))


def _half_cosine(highest: float, share: float, least: float = LEAST_LR) -> float:
    return least + max(highest - least, 0) * (1 + math.cos(math.pi * share)) / 2


def step_rates(config: TrainConfig, steps: int) -> Callable[[int], float]:
    """Learning rate of each step of a training, counted from 0.

    Args:
        config: the recipe.
        steps: of every epoch.
    """
    if config.schedule == "epochs":
        return lambda step: learning_rate(config, 1 + step // steps)
    return lambda step: step_rate(config, step, config.epochs * steps)


def lr_schedule(optimiser: torch.optim.Optimizer, rate: Callable[[int], float]) -> LambdaLR:
    """Schedule that gives each group of parameters ``rate(n)`` after n calls of its ``step``, times its ``factor``.

    Args:
        optimiser: whose groups may have a ``factor``; it is 1 where they have none.
        rate: learning rate; absolute, for torch's schedules in closed form differ from it in the last bits.
    """
    for group in optimiser.param_groups:
        group["lr"] = group.get("factor", 1.0)  # what LambdaLR multiplies
    return LambdaLR(optimiser, rate)
