"""An image backbone with classes: the network that the first two stages of training fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn


class Classified(nn.Module):
    """Backbone, dropout, one linear layer.

    Args:
        backbone: see ``waver.models.contracts.Backbone``.
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
