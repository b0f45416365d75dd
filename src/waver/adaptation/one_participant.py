"""The predictions for one participant, out of those of a shard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from waver.errors import WaverError
from waver.io.tables import PREDICTIONS, read_arrow, read_metadata, write_arrow


def write_participant(shards: Sequence[Path], participant: str, predictions: Path) -> None:
    """Write the predictions for one participant; probabilities and margins are means over the seeds.

    Args:
        shards: PREDICTIONS tables of the participant's shard by one method and protocol, one a seed.
        participant: its id.
        predictions: Parquet file to write (PREDICTIONS, frame level); of its metadata, ``seed`` are the seeds.

    Raises:
        WaverError: the participant was not adapted to, or the seeds were scored on different frames.
    """
    tables = [_of(shard, participant) for shard in shards]
    first = tables[0]
    for shard, table in zip(shards, tables, strict=True):
        if not table.select(["video", "frame"]).equals(first.select(["video", "frame"])):
            raise WaverError(f"{shard} has other frames than {shards[0]}; delete both and run again")
    for name in ("probability", "margin"):
        mean = np.mean([table[name].to_numpy() for table in tables], axis=0)
        first = first.set_column(first.schema.get_field_index(name), PREDICTIONS.field(name), pa.array(mean))
    records = [read_metadata(shard) for shard in shards]
    write_arrow(predictions, first, {**records[0], "seed": [record["seed"] for record in records]})


def _of(shard: Path, participant: str) -> pa.Table:
    table = read_arrow(shard, PREDICTIONS)
    rows = table.filter(pc.equal(table["participant"], participant))
    if not len(rows):
        raise WaverError(
            f"{shard} has no participant {participant}: see {shard}.diagnostics.jsonl for one who is excluded, and "
            "adapt.targets for the split whose participants are adapted to"
        )
    return rows.sort_by([("video", "ascending"), ("frame", "ascending")])
