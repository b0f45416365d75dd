"""What all image backbones share: the size of their input, their settings, the reduction to the feature."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import Field
from torch import nn

from waver.config.sections import Section


class FaceSize(NamedTuple):
    """Pixels of a face on its way into a backbone.

    Attributes:
        side: height and width that it is brought to.
        crop: height and width of the part of it that the network is given.
    """

    side: int
    crop: int

    @property
    def slack(self) -> int:
        """Largest row or column at which the part can begin."""
        return self.side - self.crop


FACE = FaceSize(124, 112)
"""Of the papers' backbones."""


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
