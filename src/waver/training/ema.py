"""Exponential moving average (EMA) of a network's weights, validated and kept in place of the last ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def ema_of(model: nn.Module, decay: float) -> AveragedModel:
    """EMA of all parameters and running statistics, as ``.module`` of the result, on the model's device.

    The decay grows from .1 to its full value, as (1 + n) / (10 + n) after n steps, so that the random weights of
    the beginning are soon forgotten. Whole numbers (counts of batches) are taken as they are.

    Args:
        model: whose weights are averaged; ``update_parameters(model)`` takes those after one step in.
        decay: share of the average that a step leaves; 0 < decay < 1.
    """
    ema = AveragedModel(model, multi_avg_fn=_growing(decay), use_buffers=True)
    ema.update_parameters(model)  # the first weights that torch is given are copied: here those before any step
    return ema


def _growing(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    @torch.no_grad()
    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        steps = int(count) - 1  # the copy of the beginning is none
        share = 1 - min(decay, (1 + steps) / (10 + steps))
        for own, value in zip(averaged, current, strict=True):
            if own.is_floating_point():
                own.lerp_(value, share)
            else:
                own.copy_(value)

    return update
