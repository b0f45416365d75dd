"""One shard job: process its videos, write the missing stores, write the index at the end.

A killed job leaves complete stores and no index; the next attempt resumes from there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from waver.errors import ExcludedItem, WaverError, ends_job
from waver.io.lock import exclusive
from waver.io.tables import FEATURE_INDEX, write_table
from waver.io.zarr_store import StoreWriter, new_store, store_attributes
from waver.provenance import digest

log = logging.getLogger(__name__)

Row = dict[str, Any]
Compute = Callable[[Row, StoreWriter], tuple[int, str]]
"""Fills the store of one video and returns its number of frames T and a note for the index."""

_UNEXPECTED = "unexpected "


def store_path(stores: str | Path, row: Row) -> Path:
    """Path of the store of a video: ``<stores>/<participant>/<video>.zarr``."""
    return Path(stores) / str(row["participant"]) / f"{row['video']}.zarr"


def run_shard(
    videos: Sequence[Row],
    stores: str | Path,
    index: str | Path,
    made_from: dict[str, Any],
    compute: Compute,
) -> None:
    """Write the store of every video and the shard's index.

    Args:
        videos: rows with at least ``video``, ``participant`` and ``checksum`` (of the input).
        stores: folder of the stores.
        index: Parquet file to write (FEATURE_INDEX).
        made_from: everything except the input that determines a store's content: config slice,
            code version, model checksums.
        compute: fills one store. ExcludedItem excludes the video; so does an exception of another library, whose
            traceback goes to the log: one bad video never stops the batch.

    Raises:
        WaverError: ``compute`` cannot work at all (a model that it reads when it is first needed, a key of the config),
            or every video failed unexpectedly, which is a problem of the machine, not of the videos.
        MissingStore: a store that ``compute`` reads is missing.
        OSError, MemoryError: the disk, the quota or the memory is exhausted, or a file may not be read; a retry
            resumes.
    """
    rows = []
    with exclusive(Path(f"{index}.lock")):
        for number, video in enumerate(videos, start=1):
            started = time.monotonic()
            row, fresh = _one(video, stores, made_from, compute)
            rows.append(row)
            spent = f"{time.monotonic() - started:.1f} s" if fresh else "up to date"
            log.info("%d/%d %s: %s (%s)", number, len(videos), row["video"], row["status"], spent)
        if rows and all((row["reason"] or "").startswith(_UNEXPECTED) for row in rows):
            raise WaverError(
                f"none of the {len(rows)} videos of {index} could be processed ({rows[0]['reason']}); "
                "see the traceback in the job's log"
            )
        write_table(index, rows, FEATURE_INDEX)


def _one(video: Row, stores: str | Path, made_from: dict[str, Any], compute: Compute) -> tuple[Row, bool]:
    key = digest({"input": video["checksum"], **made_from})
    path = store_path(stores, video)
    row = {
        "video": video["video"],
        "participant": video["participant"],
        "status": "ok",
        "frames": 0,
        "key": key,
        "note": "",
        "reason": None,
        "remedy": None,
    }
    attributes = store_attributes(path)
    if attributes.get("key") == key:
        return {**row, "frames": attributes["frames"], "note": attributes["note"]}, False
    try:
        with new_store(path, key) as writer:
            frames, note = compute(video, writer)
            writer.attributes.update(frames=frames, note=note)
    except ExcludedItem as problem:
        log.warning("%s excluded: %s", video["video"], problem)
        return {**row, "status": "set_aside", "reason": problem.reason, "remedy": problem.remedy}, True
    except Exception as problem:
        # set aside, a video would stay so after the permission, the model or the config was mended
        if ends_job(problem):
            raise
        log.exception("%s excluded", video["video"])
        remedy = "see the job's log for the traceback and report it"
        reason = f"{_UNEXPECTED}{type(problem).__name__}"  # its message may quote what a file says
        return {**row, "status": "set_aside", "reason": reason, "remedy": remedy}, True
    return {**row, "frames": frames, "note": note}, True
