"""The mean prediction of a participant, and what source-free methods pull it to."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from waver.adaptation.base import Network, TargetView, represented
from waver.adaptation.selection import EpochsConfig
from waver.errors import WaverError

EPSILON = 1e-5


class SourceFreeConfig(EpochsConfig):
    """Schedule of source-free adaptation in the dataset paper (appendix E.3), and where the mean prediction goes."""

    lr: float = Field(1e-4, gt=0, description="learning rate; decays by (1 + 10 t)^-0.75")
    epochs: int = Field(30, ge=1, description="epochs")
    batch: int = Field(64, ge=2, description="frames per step")
    weight_decay: float = Field(1e-3, ge=0, description="weight decay")
    gent: Literal["uniform", "off", "prior"] = Field(
        "uniform",
        description="pull the mean prediction to equal classes (published; harms the unbalanced), nowhere, or to prior",
    )
    prior: Literal["source", "estimated"] = Field(
        "source", description="prior for gent=prior: the source frames' or the source model's mean prediction"
    )


def marginal_wanted(config: SourceFreeConfig, model: Network, target: TargetView) -> Tensor | None:
    """Class shares that the mean prediction is pulled to, float32 [2]; None where it is left alone.

    Args:
        config: where it is pulled to, and by what prior.
        model: as it was on the source.
        target: frames of the participant.

    Raises:
        WaverError: the prior of the source is wanted of a network that does not know it.
    """
    if config.gent == "off":
        return None
    if config.gent == "uniform":
        return torch.full((2,), 0.5)
    if config.prior == "estimated":
        return represented(model, target)[1].softmax(dim=1).mean(dim=0)
    if model.prior is None:
        raise WaverError("the network does not say how frequent A/H was in its training frames; set prior to estimated")
    return model.prior


def entropy(probabilities: Tensor) -> Tensor:
    """Entropy over the last axis, nats; 1e-5 keeps ln 0 away, as in the release of SHOT."""
    return -(probabilities * torch.log(probabilities + EPSILON)).sum(dim=-1)


def log_prior(prior: Tensor) -> Tensor:
    """ln(K prior), float32 [K]: 0 for the uniform prior."""
    return torch.log((len(prior) * prior).clamp(min=EPSILON))
