"""What was deleted behind Snakemake's back: stores, packs and models whose index or record is still there."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from waver.assets.manifest import missing_files
from waver.store.arrays import store_key
from waver.store.shards import Row, store_path
from waver.store.tables import FEATURE_INDEX, PACK_INDEX, read_table

log = logging.getLogger(__name__)


def forget_what_is_gone(inputs: Iterable[Path]) -> bool:
    """Remove indexes and records of which a store or a file is gone, so that Snakemake runs the rule that makes it.

    To be called when a run starts, with the folder's lock held. Nothing whole is lost: the rule makes again what is
    missing, and the index of all.

    Args:
        inputs: files that the jobs of this run read and that none of them makes.

    Returns:
        Whether any was removed, and the run has to be planned anew.
    """
    removed = False
    for file in inputs:
        gone = missing(file)
        if gone:
            # the console shows it, and paths of stores hold ids of people
            log.warning("%s lists stores or files that are gone (%d): they are made again", file, len(gone))
            file.unlink(missing_ok=True)
            removed = True
    return removed


def missing(file: Path) -> list[Path]:
    """Stores that an index lists, or files of a model's record, that are gone; nothing of any other file."""
    if file.name == "asset.json":
        return missing_files(file) if file.is_file() else []
    if file.suffix != ".parquet":
        return []
    try:
        schema = pq.read_schema(file)
    except (OSError, pa.ArrowException):  # it is made anew, or its reader says what is wrong
        return []
    if schema.equals(FEATURE_INDEX):
        return _missing_stores(file, [row for row in read_table(file, FEATURE_INDEX) if row["status"] == "ok"])
    if schema.equals(PACK_INDEX):
        return _missing_pack(file, [row for row in read_table(file, PACK_INDEX) if row["status"] == "ok"])
    return []


def _missing_stores(index: Path, rows: list[Row]) -> list[Path]:
    stores = index.with_name("stores")
    of_shard = stores / f"{index.stem}.zarr"  # of answers; their videos have no stores
    if index.parent.name == "answers":
        return [] if not rows or store_key(of_shard) else [of_shard]
    return [path for path in (store_path(stores, row) for row in rows) if not (path / "zarr.json").is_file()]


def _missing_pack(index: Path, rows: list[Row]) -> list[Path]:
    pack = index.with_name("packs") / f"{index.stem}.zarr"
    return [] if not rows or store_key(pack) == rows[0]["key"] else [pack]
