"""Names and shapes of the arrays of a safetensors file, read from its head alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def safetensors_shapes(path: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of each array.

    Raises:
        OSError: the file cannot be read.
        ValueError, LookupError, TypeError, AttributeError: it is no safetensors file.
    """
    with open(path, "rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > path.stat().st_size:
            raise ValueError("a head longer than the file")
        header: Mapping[str, Any] = json.loads(stream.read(length))
    for name, array in header.items():
        if name != "__metadata__":
            yield name, tuple(array["shape"])
