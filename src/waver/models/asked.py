"""The question asked, beside a video model of faces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn


class Asked(nn.Module):
    """A model of faces whose logits are moved by what was asked and how long the answer is.

    The layer begins with zeros: before it learns, the model is the one without the question.

    Args:
        model: see ``waver.models.contracts.VideoModel``; of faces.
        size: of the context.
    """

    def __init__(self, model: nn.Module, size: int) -> None:
        super().__init__()
        self.model = model
        self.context = nn.Linear(size, 2)
        nn.init.zeros_(self.context.weight)
        nn.init.zeros_(self.context.bias)

    @property
    def config(self) -> Any:
        """The settings of the model of faces."""
        return self.model.config

    def forward(self, clips: Tensor, context: Tensor) -> Tensor:
        """Logits float32 [B, 2] of clips float32 [B, F, 3, 224, 224] and z-scored context float32 [B, C]."""
        return self.model(clips) + self.context(context)  # type: ignore[no-any-return]

    def body_parameters(self) -> Iterator[nn.Parameter]:
        """Those of the model of faces that begin with weights of others."""
        yield from getattr(self.model, "body_parameters", tuple)()
