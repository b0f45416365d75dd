"""Moving average of a network's weights, judged and kept in place of the last ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class MovingAverage:
    """Exponential moving average of all parameters and running statistics.

    The decay grows from .1 to its full value, as (1 + n) / (10 + n) after n steps, so that the random weights of
    the beginning are soon forgotten. Whole numbers (counts of batches) are taken as they are.

    Args:
        model: whose weights are averaged; on its device for good.
        decay: share of the average that a step leaves; 0 < decay < 1.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._decay = decay
        self._steps = 0
        self._weights = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take the weights after one step in."""
        share = 1 - min(self._decay, (1 + self._steps) / (10 + self._steps))
        self._steps += 1
        for name, value in model.state_dict().items():
            own = self._weights[name]
            if own.is_floating_point():
                own.lerp_(value.to(own.dtype), share)
            else:
                own.copy_(value)

    def weights(self) -> dict[str, Tensor]:
        """The averaged weights, by the names of the network's own."""
        return self._weights

    @contextmanager
    def shown(self, model: nn.Module) -> Iterator[None]:
        """Give the network the averaged weights for a while."""
        own = {name: value.detach().clone() for name, value in model.state_dict().items()}
        model.load_state_dict(self._weights)
        try:
            yield
        finally:
            model.load_state_dict(own)

    def state(self) -> dict[str, Any]:
        """For a state file."""
        return {"steps": self._steps, "weights": self._weights}

    def load(self, state: dict[str, Any]) -> None:
        """Inverse of ``state``."""
        self._steps = int(state["steps"])
        for name, value in state["weights"].items():
            self._weights[name].copy_(value)
