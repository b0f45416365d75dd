"""The splits of a run as a table: which frame of which participant is in T_tr, T_va and T_te of a protocol."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa

from waver.adaptation.participants import Split, Target, split_population, wanted
from waver.adaptation.protocol import Guard, split_hash
from waver.errors import ExcludedItem
from waver.io.tables import PREDICTIONS, write_arrow
from waver.training.corpus import VideoSample, read_corpus

log = logging.getLogger(__name__)

FRAME_SPLITS = pa.schema(
    [
        PREDICTIONS.field("video"),
        PREDICTIONS.field("participant"),
        PREDICTIONS.field("frame").with_nullable(False),
        pa.field("part", pa.string(), False, {"description": "train, val or test: T_tr, T_va or T_te"}),
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
    rows, hashes, left_out = [FRAME_SPLITS.empty_table()], {}, {}
    for target in wanted(_labels(indexes, packs, splits), only):
        try:
            split = split_population(target, protocol, guard.seconds)
        except ExcludedItem as problem:
            left_out[target.participant] = problem.reason
            continue
        hashes[target.participant] = split_hash(split)
        rows.append(_rows(target, split))
    about = {"protocol": protocol, "guard_s": guard.seconds if protocol == "block" else 0.0}
    write_arrow(table, pa.concat_tables(rows), {**about, "hash": hashes, "left_out": left_out})
    log.info("%s: splits of %d participants, %d left out", protocol, len(hashes), len(left_out))


def _labels(indexes: Sequence[Path], packs: Path, splits: Sequence[str]) -> list[Target]:
    """The participants with labelled frames, by their ids; without features, on which no split depends."""
    samples = [sample for sample in read_corpus(indexes, packs, "Q", splits) if sample.labelled]
    samples.sort(key=lambda sample: (sample.participant, sample.video))
    return [_target(who, list(own)) for who, own in groupby(samples, key=lambda sample: sample.participant)]


def _target(participant: str, samples: Sequence[VideoSample]) -> Target:
    lengths = [sample.frames for sample in samples]
    return Target(
        participant,
        tuple(sample.video for sample in samples),
        np.zeros((sum(lengths), 0), np.float32),
        np.concatenate([sample.label for sample in samples]),
        np.repeat(np.arange(len(samples), dtype=np.int32), lengths),
        np.concatenate([np.arange(length, dtype=np.int32) for length in lengths]),
        samples[0].split,
    )


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
