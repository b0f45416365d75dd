"""Networks that do not learn any more, whatever happens around them."""

from __future__ import annotations

from types import MethodType
from typing import TypeVar

from torch import nn

_Module = TypeVar("_Module", bound=nn.Module)


def freeze(module: _Module) -> _Module:
    """Keep a network as it is: no gradients, no dropout, and no new statistics of batch normalisation.

    A call of ``train()``, its own or of a network around it, leaves every part of it in evaluation mode.

    Returns:
        The same network.
    """
    module.requires_grad_(False)
    for part in module.modules():
        part.training = False
        part.train = MethodType(_stay, part)  # type: ignore[method-assign]
    return module


def _stay(module: nn.Module, mode: bool = True) -> nn.Module:
    return module
