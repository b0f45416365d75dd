"""Stores written again with other content, and damaged ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from waver.io.zarr_store import new_store, read_attributes, read_store


def rewrite(path: Path, attributes: dict[str, Any] | None = None, **arrays: np.ndarray) -> None:
    """Write a store again, with other arrays and attributes and the same key."""
    old, values = read_attributes(path), {**read_store(path), **arrays}
    with new_store(path, old.pop("key")) as writer:
        for name, array in values.items():
            writer.put(name, array)
        writer.attributes.update(old if attributes is None else attributes)


def change_byte(path: Path, at: int) -> None:
    """Change one byte of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 0x41
    path.write_bytes(data)
