"""Modalities that are computed from features which are there already: a function of one video, by the registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from waver.io.shard_job import Row, run_shard, store_path
from waver.io.tables import FEATURE_INDEX, read_table
from waver.io.zarr_store import Array, StoreWriter, open_store
from waver.provenance import digest
from waver.records import imported
from waver.shapes import check_shape

Derive = Callable[[Mapping[str, Any]], tuple[Array, Array]]
"""Of one video: opened stores by feature, e.g. ``sources["faces"]["landmarks"][:]``, to float32 [T, D] and bool [T],
which frames it is known of. D is the same for all videos."""


def extract_derived(
    feature: str, function: str, sources: Mapping[str, Path], stores: Path, index: Path, code: str
) -> None:
    """Make the stores of a shard: ``feature`` float32 [T, D], 0 where not known, and ``valid`` bool [T].

    Videos that a source excluded do not appear.

    Args:
        feature: its name.
        function: ``"module:function"``, a ``Derive``.
        sources: feature that it is derived from -> the shard's FEATURE_INDEX table; the stores lie in ``stores``
            beside it.
        stores: folder of the stores.
        index: FEATURE_INDEX table to write.
        code: fingerprint of the code.

    Raises:
        WaverError: every video failed unexpectedly.
    """
    derive: Derive = imported(function)
    folders = {name: path.with_name("stores") for name, path in sources.items()}

    def compute(video: Row, writer: StoreWriter) -> tuple[int, str]:
        opened = {name: open_store(store_path(folder, video)) for name, folder in folders.items()}
        values, valid = checked(feature, *derive(opened))
        writer.put("feature", np.where(valid[:, None], values, np.float32(0)))
        writer.put("valid", valid)
        return len(valid), "" if valid.any() else "known of no frame"

    run_shard(_rows(sources), stores, index, {"feature": feature, "code": code}, compute)


def _rows(sources: Mapping[str, Path]) -> list[Row]:
    """The videos of which all sources are there."""
    found = {name: {row["video"]: row for row in read_table(path, FEATURE_INDEX)} for name, path in sources.items()}
    known = [{video: row for video, row in of.items() if row["status"] == "ok"} for of in found.values()]
    return [
        {**row, "checksum": digest([of[video]["key"] for of in known])}
        for video, row in known[0].items()
        if all(video in of for of in known)
    ]


def checked(feature: str, values: Array, valid: Array) -> tuple[Array, Array]:
    """What a function returned.

    Raises:
        ValueError: it is no float32 [T, D] with bool [T], or a value that is said to be known is not finite.
    """
    check_shape(f"valid of {feature}", valid, (None,))
    check_shape(feature, values, (len(valid), None))
    if values.dtype != np.float32 or valid.dtype != np.bool_:
        raise ValueError(f"{feature} and valid are {values.dtype} and {valid.dtype}, expected float32 and bool")
    if not np.isfinite(values[valid]).all():
        raise ValueError(f"{feature} has values that are not finite where it says that they are known")
    return values, valid
