"""Pictures for training, decoded once and kept: in memory where they fit, else in a file beside the model."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from waver.features.faces.crops import Pixels
from waver.io.atomic import atomic_write

log = logging.getLogger(__name__)

PARTS = ("train", "val")
"""Trained on, and used to choose the epoch."""
Fill = Callable[[Pixels], dict[int, str]]
"""Decodes every picture into its row; returns row -> reason of those that cannot be used."""


@dataclass(frozen=True)
class LabelledImages:
    """Pictures with their classes.

    Attributes:
        pixels: uint8 [R, S, S, 3] RGB, S the side of the backbone's ``INPUT``, in memory or mapped from a file.
        rows: int64 [N], rows of ``pixels`` that belong to this part.
        label: int64 [N], class of each.
    """

    pixels: Pixels
    rows: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, items: npt.NDArray[np.int64]) -> Pixels:
        """Pictures uint8 [B, S, S, 3] of the items named."""
        return self.pixels[self.rows[items]]


def kept_pixels(
    file: Path, count: int, side: int, key: str, memory_bytes: int, fill: Fill
) -> tuple[Pixels, dict[int, str]]:
    """Pictures decoded by ``fill``, or as a job that was killed left them.

    Args:
        file: where they are kept if they are too many for the memory; ``forget_pixels`` removes it.
        count: number of pictures R.
        side: height and width of each, S.
        key: what they are made from; a file of anything else is written anew.
        memory_bytes: most that may be kept in memory.
        fill: decodes them.

    Returns:
        uint8 [R, S, S, 3], and row -> reason of pictures that cannot be used.
    """
    shape = (count, side, side, 3)
    size = math.prod(shape)
    in_memory = size <= memory_bytes
    place = "in memory" if in_memory else f"in {file}"
    log.info("%d pictures of %d pixels, %d bytes (%.2f GB), are kept %s", count, side, size, size / 1e9, place)
    if in_memory:
        pixels = np.empty(shape, np.uint8)
        return pixels, fill(pixels)
    done = _done_file(file)
    known = _known(done)
    if file.exists() and known.get("key") == key:
        log.info("they are there already")
        return np.load(file, mmap_mode="r", allow_pickle=False), {
            int(row): reason for row, reason in known["unusable"].items()
        }
    done.unlink(missing_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    mapped = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)
    unusable = fill(mapped)
    mapped.flush()
    with atomic_write(done) as record:
        record.write_text(json.dumps({"key": key, "unusable": unusable}))
    return np.load(file, mmap_mode="r", allow_pickle=False), unusable


def _known(done: Path) -> dict[str, Any]:
    """What stands beside the file; empty where nothing whole does."""
    try:
        found: dict[str, Any] = json.loads(done.read_text())
    except (OSError, ValueError):
        return {}
    return found


def forget_pixels(file: Path) -> None:
    """Remove what ``kept_pixels`` wrote."""
    _done_file(file).unlink(missing_ok=True)
    file.unlink(missing_ok=True)


def _done_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.json")
