"""A trained fusion as a network that methods adapt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from waver.adaptation.base import Frames, Network
from waver.adaptation.fusion.windows import Windows
from waver.errors import WaverError
from waver.models.base import FusionModel
from waver.models.temporal.norm import MaskedBatchNorm
from waver.training.frames.checkpoint import Checkpoint, build_model, load_checkpoint

_LAST = "classifier"


class FusionNetwork(Network):
    """A fusion of frame features; all of it may be adapted, and the features stay as they are.

    In training mode the statistics of its batch norms follow what it is given. Dropout and the augmentations of a
    fusion are for learning from the labels of many people and stay off.

    Args:
        model: the fusion.
        sizes: name of each stream -> D, in the order of the columns of a window's features.
        pool: frames in a row that the last layer judges at once (``pool`` of the conflict model).
        offset: margin from which on a frame is A/H; taken from the logits, so that 0 decides.

    Raises:
        WaverError: it has no linear layer ``classifier``.
    """

    def __init__(self, model: FusionModel, sizes: Mapping[str, int], pool: int = 1, offset: float = 0.0) -> None:
        super().__init__()
        found = [name for name, layer in model.named_modules() if _is_last(name, layer)]
        if len(found) != 1:
            raise WaverError(
                f"{type(model).__name__} cannot be adapted to a person: {len(found)} of its linear layers are called "
                f"{_LAST}, one is needed; leave it out of adapt.fusions"
            )
        self.model, self.sizes, self.pool, self.offset, self._last = model, dict(sizes), pool, offset, found[0]
        self.prior = None

    def represent(self, frames: Frames) -> Tensor:
        """What the last layer is given of the frames asked for, float32 [N, C].

        Args:
            frames: Windows.
        """
        windows: Windows = frames
        streams = dict(zip(self.sizes, torch.split(windows.features, list(self.sizes.values()), dim=-1), strict=True))
        given: list[Tensor] = []
        # a hook for this call alone: a copy of the network must not lead back to its original
        hook = self.last_layer.register_forward_pre_hook(lambda layer, inputs: given.append(inputs[0]))
        try:
            self.model(streams, windows.mask)
        finally:
            hook.remove()
        return given[0].repeat_interleave(self.pool, dim=1)[:, : windows.mask.shape[1]][windows.wanted]

    def judge(self, features: Tensor) -> Tensor:
        """Logits float32 [N, 2] of features float32 [N, C]; of a single margin, half of it to either side."""
        logits: Tensor = self.last_layer(features).float()
        logits = torch.cat([-logits / 2, logits / 2], dim=1) if logits.shape[1] == 1 else logits
        return torch.stack([logits[:, 0], logits[:, 1] - self.offset], dim=1)

    @property
    def class_rows(self) -> Tensor:
        """Weights of the last layer for each class, float32 [2, C]."""
        weight: Tensor = self.last_layer.weight  # type: ignore[assignment]
        return torch.cat([-weight / 2, weight / 2]) if len(weight) == 1 else weight

    @property
    def last_layer(self) -> nn.Module:
        """The fusion's classifier."""
        return self.model.get_submodule(self._last)

    def train(self, mode: bool = True) -> Self:
        """Batch norms alone are trained; see the class."""
        super().train(False)
        self.training = mode
        for module in self.modules():
            if isinstance(module, (MaskedBatchNorm, nn.BatchNorm1d)):
                module.training = mode
        return self


def _is_last(name: str, layer: nn.Module) -> bool:
    return name.rpartition(".")[2] == _LAST and isinstance(layer, nn.Linear)


def load_fusion(path: Path) -> tuple[Checkpoint, FusionNetwork]:
    """Read a trained fusion.

    Its decision threshold is part of its logits. Where it decodes frames jointly, the threshold is of what is decoded,
    and neither is used: decoding a person's scored frames alone would take them for neighbours in time.

    Raises:
        WaverError: the file is not a checkpoint of this version, or the fusion cannot be adapted.
    """
    checkpoint = load_checkpoint(path)
    offset = checkpoint.offset if checkpoint.decoder is None else 0.0
    pool = int(checkpoint.options.get("pool", 1))
    return checkpoint, FusionNetwork(build_model(checkpoint), checkpoint.normalisation.sizes, pool, offset).eval()
