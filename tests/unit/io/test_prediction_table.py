"""The rows of a table of predictions."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from waver.errors import WaverError
from waver.io.predictions import frames_of, prediction_table
from waver.io.tables import PREDICTIONS, read_table, write_arrow, write_table

ITEMS = [("1_Q1", "1", "val"), ("1_Q2", "1", "val"), ("2_Q1", "2", "test")]
MARGIN = np.array([-2.0, 0.0, 1.5, 3.0, -0.25])
COUNTS = [2, 0, 3]


def row(item, frame, margin, fold):
    video, participant, split = item
    about = {"video": video, "participant": participant, "split": split, "frame": frame, "fold": fold}
    return {**about, "probability": np.exp(-np.logaddexp(0, -margin)), "margin": margin}


@pytest.mark.parametrize("fold", [None, [4, 4, 0]])
def test_frames_are_written_as_rows_one_by_one_would_be(tmp_path, fold):
    table = prediction_table(ITEMS, MARGIN, COUNTS, frames_of(COUNTS), fold)
    owners, frames = [0, 0, 2, 2, 2], [0, 1, 0, 1, 2]
    held = [None if fold is None else fold[owner] for owner in owners]
    rows = [row(ITEMS[o], f, m, h) for o, f, m, h in zip(owners, frames, MARGIN, held, strict=True)]
    write_arrow(tmp_path / "a", table, {"method": "x"})
    write_table(tmp_path / "b", rows, PREDICTIONS, {"method": "x"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_whole_videos_have_no_frame(tmp_path):
    table = prediction_table(ITEMS, MARGIN[:3], fold=[0, 1, 2])
    write_arrow(tmp_path / "a", table)
    rows = [row(item, None, MARGIN[number], number) for number, item in enumerate(ITEMS)]
    write_table(tmp_path / "b", rows, PREDICTIONS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_nothing_predicted_is_a_table_without_rows():
    for table in (prediction_table([], np.zeros(0)), prediction_table([], np.zeros(0), [], frames_of([]), [])):
        assert table.schema.equals(PREDICTIONS)
        assert len(table) == 0


def test_very_negative_margins_keep_their_order():
    margin = np.array([-700.0, -300.0, -40.0])
    assert (np.diff(prediction_table(ITEMS, margin)["probability"].to_numpy()) > 0).all()


def test_a_table_of_more_rows_than_its_file_can_hold_is_not_read(tmp_path):
    schema = pa.schema([pa.field("frame", pa.int64())])
    pq.write_table(
        pa.table({"frame": np.zeros(2_000_000, np.int64)}, schema), tmp_path / "a.parquet", compression="zstd"
    )
    with pytest.raises(WaverError, match="has 2000000 rows, more than its size can hold"):
        read_table(tmp_path / "a.parquet", schema)
