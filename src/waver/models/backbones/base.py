"""What all image backbones share: the size of their input, their settings, the reduction to the feature."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import Field
from torch import Tensor, nn

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
        size: of the feature; where both agree nothing is changed and nothing is learned.
    """
    if pooled == size:
        return nn.Identity()
    return nn.Sequential(nn.ReLU(), nn.BatchNorm1d(pooled), nn.Linear(pooled, size), nn.ReLU())


class Classified(nn.Module):
    """Backbone, dropout, one linear layer.

    Args:
        backbone: see ``waver.models.base.Backbone``.
        classes: C, number of classes.

    Attributes:
        backbone: as given.
        head: dropout and linear layer; of zeros at first where the backbone asks for it (``zero_head``).
    """

    def __init__(self, backbone: Any, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        linear = nn.Linear(backbone.config.size, classes)
        if backbone.zero_head:
            nn.init.zeros_(linear.weight)
            nn.init.zeros_(linear.bias)
        self.head = nn.Sequential(nn.Dropout(backbone.config.dropout), linear)

    def forward(self, images: Tensor) -> Tensor:
        """Logits float32 [B, C] of images float32 [B, 3, c, c] in [-1, 1], c pixels of the backbone's ``INPUT``."""
        logits: Tensor = self.head(self.backbone(images))
        return logits

    def head_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters that begin at random, reduction and classes: the papers give them ten times the rate."""
        yield from self.backbone.reduction.parameters()
        yield from self.head.parameters()
