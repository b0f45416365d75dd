"""What Snakemake does not see: deleted stores, packs and models whose index or record is there, and damaged tables."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from waver.assets.manifest import missing_files
from waver.io.shard_job import Row, store_path
from waver.io.store_file import is_intact
from waver.io.tables import FEATURE_INDEX, PACK_INDEX, read_table
from waver.io.zarr_store import store_key

log = logging.getLogger(__name__)


def recover(workflow: Any) -> None:
    """Plan again where this run needs stores or models that were deleted without their index, or a damaged table.

    To be called when a run starts, with the folder's lock held. Of jobs that have nothing to do nothing is missed, as
    with any file between; the report goes without what is gone: pictures, the timeline, numbers of parameters.

    Args:
        workflow: Snakemake's, with its plan.
    """
    seen: set[str] = set()
    while not workflow.touch:
        jobs = list(workflow.dag.needrun_jobs())
        made = {str(path) for job in jobs for path in job.output}
        ours = {str(path) for job in workflow.dag.jobs for path in job.output}
        read = {str(path) for job in jobs for path in job.input if not job.rule.name.startswith("report_")}
        inputs_read = sorted((read & ours) - made - seen)
        seen.update(inputs_read)
        if not forget_what_is_gone(map(Path, inputs_read)):
            break
        # as Snakemake does after a checkpoint
        workflow.async_run(workflow.dag.postprocess())


def forget_what_is_gone(inputs: Iterable[Path]) -> bool:
    """Remove what is of no use, so that Snakemake runs the rule that writes it.

    These are damaged tables, and indexes and records of which a store or a file is missing. Nothing whole is lost: the
    rule makes again what is missing, and the index of all.

    Args:
        inputs: files that the jobs of this run read and that none of them makes.

    Returns:
        Whether any was removed, and the run has to be planned again.
    """
    removed = False
    for file in inputs:
        if file.suffix == ".parquet" and _is_damaged(file):
            log.warning("%s is damaged, and is made again", file)
            file.unlink()
            removed = True
        elif gone := missing(file):
            # the console shows it, and paths of stores hold ids of people
            log.warning("%s lists stores or files that are missing (%d): they are computed again", file, len(gone))
            file.unlink(missing_ok=True)
            removed = True
    return removed


def _is_damaged(path: Path) -> bool:
    """Whether a Parquet file that is there is none, or a page of it is not as it was written.

    Not so where the disk fails or the file may not be read: its reader reports that.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for _ in file.iter_batches():
                pass
    except pa.ArrowInvalid:
        return True
    except OSError as error:
        return error.errno is None  # Arrow's own, of what it read
    return False


def missing(file: Path) -> list[Path]:
    """Stores that an index lists, or files of a model's record, that are missing; nothing for any other file."""
    if file.name == "asset.json":
        return missing_files(file) if file.is_file() else []
    if file.suffix != ".parquet":
        return []
    try:
        schema = pq.read_schema(file)
    except (OSError, pa.ArrowException):  # its reader reports the error
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
        return [] if not rows or is_intact(of_shard) else [of_shard]
    return [path for row in rows if not _is_of(path := store_path(stores, row), row)]


def _missing_pack(index: Path, rows: list[Row]) -> list[Path]:
    pack = index.with_name("packs") / f"{index.stem}.zarr"
    return [] if not rows or _is_of(pack, rows[0]) else [pack]


def _is_of(store: Path, row: Row) -> bool:
    """Whether it is the store that the row lists, and no other that was put in its place."""
    try:
        return bool(store_key(store) == row["key"])
    except OSError:  # its reader reports the error
        return True
