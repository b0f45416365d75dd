"""Whether the outputs of a training are there already: made by a copy of the job, which was waited for."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from waver.store.tables import read_metadata

log = logging.getLogger(__name__)

KEY = "made_from"
"""Metadata of a training's table: what all its outputs are made from."""


def finished(outputs: Mapping[str, Path], table: str, key: str) -> bool:
    """Whether all outputs are there and made from the same; other jobs may read them, so they stay.

    Slurm starts a job again whose node it lost, and that node may finish it. Snakemake deletes the outputs before a
    job starts: those that are there when its lock is free were made by the copy. The caller holds that lock.

    Args:
        outputs: the job's files.
        table: which of them tells the key: a Parquet file with ``KEY`` in its metadata.
        key: what they are made from.
    """
    try:
        for path in outputs.values():
            open(path, "rb").close()  # NFS answers this from the server, and whether a file exists from its memory
    except FileNotFoundError:
        return False
    same = bool(read_metadata(outputs[table]).get(KEY) == key)
    if same:
        log.info("%s was made by a copy of this job: it is kept", outputs[table])
    return same
