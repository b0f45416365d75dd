"""A small data set after ``align`` with its controls."""

from __future__ import annotations

import pytest
from scored_folder import Folder

from synthetic import write_packs
from waver.evaluation.controls import CONTROLS, LEVELS, predict_controls
from waver.store.tables import PACK_INDEX, PARTICIPANTS, VIDEOS, read_tables, write_table


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    path = tmp_path_factory.mktemp("evaluation")
    indexes, packs = write_packs(path, {"train": 8, "val": 3, "test": 6}, questions=4, frames=100)
    rows = read_tables(indexes, PACK_INDEX)
    unknown = dict.fromkeys(PARTICIPANTS.names)
    people = {row["participant"]: row["split"] for row in rows}
    table = [
        {
            **unknown,
            "participant": name,
            "split": split,
            "sex": "Female" if number % 6 else "Male",
            "age_group": "25-34",
            "consent_publication": False,
            "consent_challenge": False,
        }
        for number, (name, split) in enumerate(sorted(people.items()))
    ]
    write_table(path / "participants.parquet", table, PARTICIPANTS)
    known = {"path": "", "source_frames": 0, "source_fps": 24.0, "has_audio": True, "checksum": ""}
    keys = ("video", "participant", "split", "question", "label", "duration_s")
    videos = [{**dict.fromkeys(VIDEOS.names), **known, **{key: row[key] for key in keys}} for row in rows]
    write_table(path / "videos.parquet", videos, VIDEOS)
    outputs = {f"{control}.{level}": path / f"{control}.{level}.parquet" for control in CONTROLS for level in LEVELS}
    predict_controls(indexes, packs, outputs, {"model_set": "embedded", "config": {}, "code": "0"})
    return Folder(path, indexes, packs, path / "participants.parquet", path / "videos.parquet", outputs)
