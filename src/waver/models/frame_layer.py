"""The layer that makes the logits of a frame, and what it is given: what a model of frames knows of a frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from waver.errors import WaverError

NAME = "classifier"
"""What every fusion calls the layer."""


def frame_layer(model: nn.Module) -> nn.Linear:
    """The layer called ``classifier``, at any depth.

    Raises:
        WaverError: the model has none, or several.
    """
    found = [part for name, part in model.named_modules() if name.rpartition(".")[2] == NAME]
    if len(found) != 1 or not isinstance(found[0], nn.Linear):
        raise WaverError(
            f"{type(model).__name__} has no single linear layer called {NAME}; "
            "name the layer of its logits so, or set train.cue_share to 0"
        )
    return found[0]


@contextmanager
def layer_inputs(layer: nn.Linear) -> Iterator[list[Tensor]]:
    """Inputs [..., C] that the layer is given meanwhile, in order."""
    seen: list[Tensor] = []
    handle = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        yield seen
    finally:
        handle.remove()
