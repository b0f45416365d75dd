"""The predictions for one participant out of a shard's."""

import numpy as np
import pytest

from waver.adaptation.one_participant import write_participant
from waver.errors import WaverError
from waver.io.predictions import prediction_table
from waver.io.tables import PREDICTIONS, read_metadata, read_table, write_arrow

ITEMS = [("b_Q1", "b", "test"), ("a_Q2", "a", "test"), ("a_Q1", "a", "test")]


def shard(path, margin, seed, frames=(0, 1)):
    frame = np.tile(np.array(frames), len(ITEMS))
    write_arrow(path, prediction_table(ITEMS, np.array(margin), [2] * len(ITEMS), frame), {"method": "m", "seed": seed})
    return path


def test_rows_of_the_participant_alone_with_the_mean_of_the_seeds(tmp_path):
    shards = [shard(tmp_path / "0", [9.0, 9, 1, 2, 3, 4], 0), shard(tmp_path / "1", [9.0, 9, 3, 2, 1, -4], 1)]
    write_participant(shards, "a", tmp_path / "a.parquet")
    rows = read_table(tmp_path / "a.parquet", PREDICTIONS)
    assert [(row["video"], row["frame"], row["margin"]) for row in rows] == [
        ("a_Q1", 0, 2.0),
        ("a_Q1", 1, 0.0),
        ("a_Q2", 0, 2.0),
        ("a_Q2", 1, 2.0),
    ]
    assert rows[1]["probability"] == pytest.approx(0.5)  # of the mean probability, not of the mean margin alone
    assert rows[0]["probability"] == pytest.approx((1 / (1 + np.exp(-3)) + 1 / (1 + np.exp(-1))) / 2)
    assert read_metadata(tmp_path / "a.parquet") == {"method": "m", "seed": [0, 1]}


def test_a_participant_who_is_not_there_is_named(tmp_path):
    with pytest.raises(WaverError, match=r"has no participant c: see .*diagnostics\.jsonl"):
        write_participant([shard(tmp_path / "0", [0.0] * 6, 0)], "c", tmp_path / "c.parquet")
    assert not (tmp_path / "c.parquet").exists()


def test_seeds_of_different_frames_are_not_averaged(tmp_path):
    shards = [shard(tmp_path / "0", [0.0] * 6, 0), shard(tmp_path / "1", [0.0] * 6, 1, frames=(0, 2))]
    with pytest.raises(WaverError, match="has other frames than"):
        write_participant(shards, "a", tmp_path / "a.parquet")
