"""A small data set after ``align`` with its controls."""

from __future__ import annotations

import pytest
from scored_folder import FOLDS, Folder

from synthetic import write_answers, write_packs
from waver.evaluation.control_names import CONTROLS, LEVELS, PROTOCOLS, Control
from waver.evaluation.controls import predict_controls
from waver.io.tables import PACK_INDEX, PARTICIPANTS, read_tables, write_table


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
    answers = write_answers(path / "answers.parquet", indexes, language=dict.fromkeys(row["video"] for row in rows))
    names = [Control(control, level, protocol) for control in CONTROLS for level in LEVELS for protocol in PROTOCOLS]
    outputs = {name: path / f"{'.'.join(name)}.parquet" for name in names}
    predict_controls(indexes, packs, [answers], FOLDS, outputs, {"model_set": "embedded", "config": {}, "code": "0"})
    return Folder(path, indexes, packs, path / "participants.parquet", answers, outputs)
