"""The question asked, beside a video model of faces."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from waver.models.base import VideoModel


class WithQuestion(VideoModel):
    """A model of faces whose logits are moved by what was asked and how long the answer is.

    The layer begins with zeros: before it learns, the model is the one without the question. It learns even beside a
    model that does not (``learns``), by the cross entropy of the moved logits.

    Args:
        model: of faces.
        size: of the context.

    Attributes:
        config: the settings of the model of faces.
    """

    def __init__(self, model: VideoModel, size: int) -> None:
        super().__init__()
        self.model = model
        self.config = model.config
        self.context = nn.Linear(size, 2)
        nn.init.zeros_(self.context.weight)
        nn.init.zeros_(self.context.bias)

    def forward(self, clips: Tensor, context: Tensor) -> Tensor:
        """Logits float32 [B, 2] of clips float32 [B, F, 3, 224, 224] and z-scored context float32 [B, C]."""
        return self.model(clips) + self.context(context)  # type: ignore[no-any-return]

    def body_parameters(self) -> Iterator[nn.Parameter]:
        """Those of the model of faces that begin with weights of others."""
        return self.model.body_parameters()
