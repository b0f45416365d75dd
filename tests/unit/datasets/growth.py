"""How cost grows with size, in one run: a busy machine slows both sizes down."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LINEAR = 40.0
"""At most, of ten times as much: four times what linear cost gives, and less than half of what quadratic gives."""


def growth(work: Callable[[T], object], small: T, large: T) -> float:
    """CPU time of the large work, in times of the small; each the best of three."""
    work(small)  # imports and caches
    return _cost_s(work, large) / _cost_s(work, small)


def _cost_s(work: Callable[[T], object], size: T) -> float:
    costs_s = []
    for _ in range(3):
        started_s = time.process_time()
        work(size)
        costs_s.append(time.process_time() - started_s)
    return max(min(costs_s), 1e-4)
