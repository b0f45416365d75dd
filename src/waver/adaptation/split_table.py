"""The splits of a run as a table: which frame of which participant is in T_tr, T_va and T_te of a protocol."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from waver.adaptation.participants import Split, Target, split_each
from waver.adaptation.protocol import Guard, split_hash
from waver.adaptation.target_frames import read_people
from waver.io.tables import PREDICTIONS, write_arrow

log = logging.getLogger(__name__)

FRAME_SPLITS = pa.schema(
    [
        PREDICTIONS.field("video"),
        PREDICTIONS.field("participant"),
        PREDICTIONS.field("frame").with_nullable(False),
        pa.field("part", pa.string(), False, {"meaning": "train, val or test: T_tr, T_va or T_te"}),
    ]
)


def write_split_table(
    indexes: Sequence[Path],
    packs: Path,
    splits: Sequence[str],
    protocol: str,
    guard: Guard,
    table: Path,
    only: Sequence[str] | None = None,
) -> None:
    """Write the split of every participant who is adapted to; it is the same for every method and seed.

    Args:
        indexes: index tables of the packs.
        packs: folder of the packs.
        splits: of the data set, whose participants are adapted to.
        protocol: how frames are split, see ``protocol.split_frames``.
        guard: between the subsets of a video; of the protocol ``block``.
        table: Parquet file to write (FRAME_SPLITS), by participant, video and frame. A frame of the guard has no row.
            Its metadata hold protocol, guard, the ``hash`` of each split, and why participants were ``left_out``.
        only: participants who are adapted to; None: all.

    Raises:
        WaverError: one of ``only`` is not among them.
    """
    found, left_out = split_each(read_people(indexes, packs, splits), protocol, guard, only)
    about = {
        "protocol": protocol,
        "guard_s": guard.seconds if protocol == "block" else 0.0,
        "hash": {target.participant: split_hash(split) for target, split in found},
        "left_out": {one["participant"]: one["left_out"] for one in left_out},
    }
    rows = [_rows(target, split) for target, split in found]
    write_arrow(table, pa.concat_tables([FRAME_SPLITS.empty_table(), *rows]), about)
    log.info("%s: splits of %d participants, %d left out", protocol, len(found), len(left_out))


def _rows(target: Target, split: Split) -> pa.Table:
    part = np.full(len(target.labels), "", dtype=object)
    for name, rows in split.items():
        part[rows] = name
    kept = part != ""
    columns = {
        "video": np.asarray(target.videos)[target.video[kept]],
        "participant": np.full(int(kept.sum()), target.participant),
        "frame": target.frame[kept],
        "part": part[kept],
    }
    return pa.table({name: pa.array(values) for name, values in columns.items()}).cast(FRAME_SPLITS)
