"""HDF5 files from outside: their own arrays, none of another file, and no more than fits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py

from waver.errors import WaverError

_MOST_OBJECTS = 20_000
_DEEPEST = 10
_MOST_BYTES = 4 << 30
"""Of all arrays together; compressed, they may be much smaller in the file."""


def own_arrays(file: Any, within: str | None = None) -> Iterator[tuple[str, Any]]:
    """Name and h5py dataset of every array of an open file, in the order of the names.

    Args:
        file: h5py.File.
        within: group to begin at; None for all of the file. Names begin below it.

    Raises:
        KeyError: there is no such group.
        WaverError: an array, a group or a link refers to another file, or the arrays are absurdly large.
    """
    if within is not None and within not in file:
        raise KeyError(within)
    held = 0
    left: list[tuple[str, Any]] = [("", file if within is None else _linked(file, within))]
    for count in range(_MOST_OBJECTS):
        if not left:
            return
        name, item = left.pop()
        if isinstance(item, h5py.Group) and name.count("/") < _DEEPEST:  # groups may hold each other
            below = [(f"{name}/{key}".lstrip("/"), _linked(item, key)) for key in sorted(item, reverse=True)]
            left += below if count + len(below) < _MOST_OBJECTS else []
        elif isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise WaverError(f"{file.filename} holds an array that lies in another file; give the whole model")
            held += item.size * item.dtype.itemsize if item.shape is not None else 0
            if held > _MOST_BYTES:
                raise WaverError(f"{file.filename} holds arrays of more than {_MOST_BYTES} bytes; correct the path")
            yield name, item


def _linked(group: Any, key: str) -> Any:
    link = group.get(key, getlink=True)
    if not isinstance(link, h5py.HardLink):  # soft links may lead round in circles, external ones anywhere
        if isinstance(link, h5py.ExternalLink):
            raise WaverError(f"{group.file.filename} has a link to another file; give the whole model")
        return None
    return group[key]
