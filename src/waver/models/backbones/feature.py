"""What all image backbones share: the side of their input, their settings, the reduction to the feature."""

from __future__ import annotations

from pydantic import Field
from torch import nn

from waver.config.sections import Section

INPUT_SIDE = 112
"""Pixels, height and width of a face given to a backbone."""


class BackboneSettings(Section):
    """Settings that every backbone has; the defaults are the papers'."""

    size: int = Field(512, ge=1, description="D, size of the feature after the reduction")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout before the classes")


def reduction(pooled: int, size: int) -> nn.Module:
    """From the pooled vector to the feature, as in the papers' released backbones.

    Args:
        pooled: size of the network's own vector.
        size: of the feature; where both agree nothing is changed and nothing is learnt.
    """
    if pooled == size:
        return nn.Identity()
    return nn.Sequential(nn.ReLU(), nn.BatchNorm1d(pooled), nn.Linear(pooled, size), nn.ReLU())
