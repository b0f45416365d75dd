"""Optimisers, and what weight decay acts on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from waver.config.training import TrainConfig
from waver.config.videos import VideosConfig
from waver.models.base import Undecayed
from waver.training.lr_schedule import Recipe


def make_optimiser(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimiser of all parameters of a frame model."""
    return optimiser_of(decay_groups(model, config), config)


def decay_groups(model: nn.Module, config: Recipe) -> list[dict[str, Any]]:
    """Parameters as groups of an optimiser: all with weight decay, as the papers do, or some apart, without it.

    Without ``config.decay_vectors`` those of one dimension are apart, and those that a module of the model names
    (``waver.models.base.Undecayed``): they have more dimensions and yet are no weights of a layer.
    """
    parameters = list(model.parameters())
    if config.decay_vectors:
        return [{"params": parameters}]
    naming = [part for part in model.modules() if isinstance(part, Undecayed)]
    named = {id(part.get_parameter(name)) for part in naming for name in part.UNDECAYED}
    undecayed = [parameter.ndim < 2 or id(parameter) in named for parameter in parameters]
    return [
        {"params": [parameter for parameter, out in zip(parameters, undecayed, strict=True) if not out]},
        {
            "params": [parameter for parameter, out in zip(parameters, undecayed, strict=True) if out],
            "weight_decay": 0.0,
        },
    ]


def optimiser_of(groups: Sequence[dict[str, Any]], config: Recipe | VideosConfig) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum .9, or AdamW; a group may have a weight decay of its own."""
    if config.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=0.9, nesterov=True, weight_decay=config.weight_decay)
    return torch.optim.AdamW(groups, lr=config.lr, weight_decay=config.weight_decay)
