"""Macro F1 that has a gradient."""

from __future__ import annotations

from torch import Tensor


def soft_macro_f1(probability: Tensor, truth: Tensor) -> Tensor:
    """Mean F1 of the two classes with counts taken from probabilities; of 0 and 1 it is the macro F1.

    Args:
        probability: of A/H, float32 [N].
        truth: 0 or 1, float32 [N].
    """
    hit, wrong = (probability * truth).sum(), (probability * (1 - truth)).sum()
    missed, rejected = ((1 - probability) * truth).sum(), ((1 - probability) * (1 - truth)).sum()
    halves = [2 * right / (2 * right + wrong + missed).clamp(min=1e-8) for right in (hit, rejected)]
    return (halves[0] + halves[1]) / 2
