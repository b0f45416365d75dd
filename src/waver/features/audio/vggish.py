"""VGGish: a 128-d embedding of 0.96 s of sound (Hershey et al., ICASSP 2017).

The names of the parameters are those of torchvggish, so that its weights load as they are. As in the
papers' released features there is no ReLU after the last layer and no PCA or quantisation.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from waver.models.weights import load_weights
from waver.shapes import check_shape

DIM = 128
_WIDTHS = (64, None, 128, None, 256, 256, None, 512, 512, None)  # None: halve both sides
_POST_PROCESSING = "pproc."


class VGGish(nn.Module):
    """VGG-like network over log-mel patches; 72,141,184 parameters."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = 1
        for step in _WIDTHS:
            if step is None:
                layers.append(nn.MaxPool2d(2, 2))
            else:
                layers += [nn.Conv2d(width, step, 3, padding=1), nn.ReLU(inplace=True)]
                width = step
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(
            nn.Linear(6 * 4 * 512, 4096), nn.ReLU(inplace=True), nn.Linear(4096, 4096), nn.ReLU(inplace=True),
            nn.Linear(4096, DIM),
        )  # fmt: skip

    def forward(self, patch: Tensor) -> Tensor:
        """Embed patches: float32 [B, 1, 96, 64] (time, band) to float32 [B, 128]."""
        check_shape("patch", patch, (None, 1, 96, 64))
        maps = self.features(patch)
        # the weights were trained with the channel as the fastest axis
        embedding: Tensor = self.embeddings(maps.permute(0, 2, 3, 1).flatten(1))
        return embedding


def load_vggish(weights: str | Path) -> VGGish:
    """Frozen network with the weights of a file.

    Args:
        weights: a state dict saved by ``torch.save`` with torchvggish's names; the parameters of its
            PCA (``pproc.``) are not used.

    Raises:
        WaverError: the file cannot be read, or its parameters are not VGGish's.
    """
    with torch.device("meta"):  # no time and memory for values that are replaced at once
        model = VGGish()
    load_weights(model, weights, "VGGish", ignore=(_POST_PROCESSING,))
    return model.eval().requires_grad_(False)
