"""Sequences that temporal models are tried on."""

import torch
from torch import Tensor, nn


def ends(*frames: int) -> Tensor:
    """Mask bool [B, T] of sequences of so many frames."""
    return torch.arange(max(frames))[None] < torch.tensor(frames)[:, None]


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Normal values, the same for the same seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def parameters(module: nn.Module) -> int:
    """Number of parameters."""
    return sum(parameter.numel() for parameter in module.parameters())
