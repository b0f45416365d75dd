"""Multi-stage temporal convolutional network over one stream (Farha and Gall, CVPR 2019, arXiv 1903.01945).

There a stage gives the logits of its classes, every stage has a loss of its own, and the next stage refines
the softmax of the one before. Here the stream has no labels of its own: the classes are as many latent
values, and the outputs of all stages go on side by side, so that the fusion's loss reaches each of them
directly.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from waver.models.base import TemporalModel
from waver.models.temporal.settings import MsTcnSettings


class Layer(nn.Module):
    """Dilated convolution of 3 taps, ReLU, 1x1 convolution, dropout, beside the identity."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.dilated = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(width, width, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        """float32 [B, C, T] -> [B, C, T]; ``keep`` [B, 1, T] zeroes padding."""
        return (x + self.dropout(self.mix(self.dilated(x).relu()))) * keep  # type: ignore[no-any-return]


class Stage(nn.Module):
    """Layers of dilation 1, 2, 4, ...; its receptive field is 2 ** (layers + 1) - 1 frames, centred."""

    def __init__(self, size: int, settings: MsTcnSettings) -> None:
        super().__init__()
        self.enter = nn.Conv1d(size, settings.width, 1)
        self.layers = nn.ModuleList(
            Layer(settings.width, 2**level, settings.dropout) for level in range(settings.layers)
        )
        self.classify = nn.Conv1d(settings.width, settings.classes, 1)

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        """float32 [B, D, T] -> [B, classes, T]."""
        hidden = self.enter(x) * keep
        for layer in self.layers:
            hidden = layer(hidden, keep)
        return self.classify(hidden) * keep  # type: ignore[no-any-return]


class MsTcn(TemporalModel):
    """Stages, each after the first on the softmax of the one before.

    Args:
        size: D of the input.
        settings: sizes and dropout.

    Attributes:
        size: C of the output, stages * classes.
    """

    def __init__(self, size: int, settings: MsTcnSettings) -> None:
        super().__init__()
        sizes = [size] + [settings.classes] * (settings.stages - 1)
        self.stages = nn.ModuleList(Stage(stage, settings) for stage in sizes)
        self.size = settings.stages * settings.classes

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Float32 [B, D, T] and bool [B, T] -> [B, C, T], stage after stage, zeros on padding."""
        keep = mask.unsqueeze(1).to(x.dtype)
        outputs: list[Tensor] = []
        for stage in self.stages:
            x = outputs[-1].softmax(dim=1) * keep if outputs else x * keep
            outputs.append(stage(x, keep))
        return torch.cat(outputs, dim=1)
