"""Memory that two processes share, with a few places for pictures: handing one over costs two copies of its bytes."""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

PLACES = 4
_LEAST_BYTES = 1 << 16
"""Smaller arrays are sent as they are."""


@dataclass(frozen=True)
class SharedArray:
    """Where an array lies; sent in its stead."""

    place: int
    size: int
    shape: tuple[int, ...]
    dtype: str


class SharedArrays:
    """One process puts arrays, the other takes them; they agree on which place is free by messages of their own.

    Args:
        file: descriptor of a file in memory, empty at first.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._size = 0
        self._memory: mmap.mmap | None = None

    def fits(self, array: Any) -> bool:
        """Whether something is an array large enough to be put here."""
        return isinstance(array, np.ndarray) and array.nbytes >= _LEAST_BYTES and not array.dtype.hasobject

    def needs_all(self, array: npt.NDArray[Any]) -> bool:
        """Whether places have to grow for an array, for which all of them have to be free."""
        return array.nbytes > self._size

    def put(self, array: npt.NDArray[Any], place: int) -> SharedArray:
        """Copy an array into a free place."""
        if self.needs_all(array):
            os.ftruncate(self._file, PLACES * array.nbytes)
            self._map(array.nbytes)
        placed = SharedArray(place, self._size, array.shape, array.dtype.str)
        self._view(placed)[...] = array
        return placed

    def take(self, placed: SharedArray) -> npt.NDArray[Any]:
        """A copy of an array; its place may be used again."""
        if placed.size != self._size:
            self._map(placed.size)
        return np.array(self._view(placed))

    def _map(self, size: int) -> None:
        self._size = size
        self._memory = mmap.mmap(self._file, PLACES * size)

    def _view(self, placed: SharedArray) -> npt.NDArray[Any]:
        assert self._memory is not None
        return np.ndarray(placed.shape, placed.dtype, self._memory, placed.place * placed.size)
