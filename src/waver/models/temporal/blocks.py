"""Sequences cut into blocks, each with the frames around it: attention without a matrix of T x T."""

from __future__ import annotations

from torch import Tensor, nn


def blocks_of(x: Tensor, size: int) -> Tensor:
    """[B, T, C] -> [B, N, size, C], with zeros after the last frame."""
    whole = nn.functional.pad(x, (0, 0, 0, -x.shape[1] % size))
    return whole.reshape(x.shape[0], -1, size, x.shape[2])


def around(x: Tensor, size: int, before: int, after: int) -> Tensor:
    """Each block with the frames before and after it: [B, T, C] -> [B, N, before + size + after, C].

    Zeros (False) stand where the sequence has no frame.
    """
    padded = nn.functional.pad(x, (0, 0, before, after + -x.shape[1] % size))
    return padded.unfold(1, before + size + after, size).movedim(-1, 2)
