"""Cues that rules find, and those that annotators name, in the segments of stores."""

from __future__ import annotations

import numpy as np

from checkout import ROOT
from tracing.executed import definitions, traced
from waver.config.sections import EvaluateConfig
from waver.evaluation.cue_agreement import CUE_SCORES
from waver.io.tables import FEATURE_INDEX, SEGMENTS, VIDEOS, read_table, write_table
from waver.io.zarr_store import new_store
from waver.workflow.fingerprint import closure, followed
from waver.zeroshot.cue_evaluation import evaluate_cues


def video(number):
    fields = dict.fromkeys(VIDEOS.names)
    return fields | {
        "video": f"1_Q{number}", "participant": "1", "split": "train", "path": "x", "source_frames": 96,
        "source_fps": 24.0, "duration_s": 4.0, "has_audio": False, "checksum": "0",
    }  # fmt: skip


def test_segments_are_on_the_clock_of_the_stores(tmp_path):
    """The second half of a video smiles; its source frames run at 48 a second."""
    smile = np.zeros((96, 2), np.float32)
    smile[48:, 0] = 0.9
    with new_store(tmp_path / "visual/1/1_Q1.zarr", "key") as writer:
        writer.put("expression", smile)
        writer.put("valid", np.ones(96, bool))
        writer.attributes.update(expressions=["happy", "sad"])
    with new_store(tmp_path / "faces/1/1_Q1.zarr", "key") as writer:
        writer.put("landmarks", np.zeros((96, 5, 2), np.float32))
        writer.put("valid", np.zeros(96, bool))
        writer.put("source_frame", np.arange(0, 192, 2, dtype=np.int32))
    row = {"participant": "1", "frames": 96, "key": "key", "note": "", "reason": None, "remedy": None}
    index = [row | {"video": "1_Q1", "status": "ok"}, row | {"video": "1_Q2", "status": "set_aside"}]
    write_table(tmp_path / "index.parquet", index, FEATURE_INDEX)
    write_table(tmp_path / "videos.parquet", [video(1), video(2)], VIDEOS)
    about = {"cues": '{"facial": {"smile": true}}', "start_s": None, "end_s": None, "certainty": None}
    said = ["facial: Smile"]
    spans = [
        ("1_Q1", 0, 0, 48, said),
        ("1_Q1", 1, 120, 180, said),
        ("1_Q1", 2, 180, 190, None),
        ("1_Q2", 0, 0, 48, said),
    ]
    rows = [
        {"video": name, "segment": number, "start_frame": start, "end_frame": end, "cue_names": names, **about}
        for name, number, start, end, names in spans
    ]
    write_table(tmp_path / "segments.parquet", rows, SEGMENTS)
    names = ("faces", "visual")
    indexes = {name: [tmp_path / "index.parquet"] for name in names}
    stores = {name: tmp_path / name for name in names}
    files = [tmp_path / "videos.parquet"], tmp_path / "segments.parquet"
    config = EvaluateConfig(bootstrap=100, least_group=1)
    traced(lambda: evaluate_cues(*files, indexes, stores, config, tmp_path / "out.parquet"), tmp_path / "trace")
    ran, found = definitions(tmp_path / "trace"), closure([], ROOT / "workflow/scripts/zeroshot_cues.py")
    assert {reference for reference in ran if followed(reference)} - set(found) == set()
    smiled = next(row for row in read_table(tmp_path / "out.parquet", CUE_SCORES) if row["cue"] == "Smile")
    # the first segment lies before the smile; the second video has no clock, and is left out
    assert (smiled["segments"], smiled["annotated"], smiled["found"], smiled["both"]) == (2, 2, 1, 1)
