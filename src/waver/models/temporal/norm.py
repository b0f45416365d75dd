"""Batch normalisation that padding takes no part in."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class MaskedBatchNorm(nn.Module):
    """BatchNorm1d over the frames that are not padding; padding comes out as zero in training."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(size)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """float32 [B, T, C] and bool [B, T] -> [B, T, C]."""
        if not self.training or bool(mask.all()):
            return self.norm(x.flatten(0, 1)).unflatten(0, x.shape[:2])  # type: ignore[no-any-return]
        valid = self.norm(x[mask])
        out = torch.zeros(x.shape, dtype=valid.dtype, device=x.device)
        out[mask] = valid
        return out
