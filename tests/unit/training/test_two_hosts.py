"""The same job on two nodes at once, as when Slurm loses a node and starts its job again: nothing mixed, nothing lost.

Two processes in process-id namespaces of their own stand for the nodes: both are process 1.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from synthetic import write_packs
from waver.config.sections import TrainConfig
from waver.io.shard_job import run_shard
from waver.io.tables import FEATURE_INDEX, PACK_INDEX, PARTICIPANTS, SET_ASIDE, read_table, read_tables, write_table
from waver.io.zarr_store import read_store
from waver.training.frames.checkpoint import load_checkpoint
from waver.training.frames.fit import train_fusion
from waver.training.frames.folds import train_folds

pytestmark = pytest.mark.slow

SMALL = {"lfan": {"channels": {"visual": [4], "text": [4]}}}
CONFIG = TrainConfig(window=60, hop=30, epochs=2, folds=2, lr=0.01, options=SMALL)
RECORD = {"model_set": "embedded", "code": "c0de", "config": {}}
MADE = {
    "fusion": {"model": "model.pt", "history": "history.jsonl", "predictions": "predictions.parquet"},
    "folds": {"predictions": "folds.parquet", "history": "folds.jsonl"},
}
VIDEOS = [{"video": f"9000{i}_Q1", "participant": f"9000{i}", "checksum": str(i)} for i in range(2)]

WORKER = f"""
import os, sys, time
from pathlib import Path
sys.path[:0] = {[*sys.path, str(Path(__file__).parent)]!r}
place, me = Path(sys.argv[1]), sys.argv[2]
import test_two_hosts
(place / f"process.{{me}}").write_text(str(os.getpid()))
for number in range(10):
    (place / f"{{me}}.{{number}}").touch()
    deadline = time.monotonic() + 200
    while not (place / f"{{'ab'.replace(me, '')}}.{{number}}").exists():
        assert time.monotonic() < deadline, "the other one ended"
        time.sleep(0.001)
    test_two_hosts.write_stores(place / "stored", me, number)
    if number < 2:
        test_two_hosts.train(place / "trained")
"""


def write_stores(place: Path, me: str, number: int) -> None:
    """Stores and a table that hold the writer's own letter alone."""

    def compute(video, writer):
        for name in ("first", "second"):
            writer.put(name, np.full(2000, ord(me)))
        return 2000, me

    table = place / "table.parquet"
    write_table(table, [dict.fromkeys(SET_ASIDE.names, me)] * 500, SET_ASIDE)
    assert len({tuple(row.values()) for row in read_table(table, SET_ASIDE)}) == 1
    run_shard(VIDEOS, place / "stores", place / "index.parquet", {"by": me, "number": number}, compute)


def train(place: Path) -> None:
    """A training and its cross-validation, whose outputs Snakemake deletes before it starts a job."""
    data = place.parent / "data"
    indexes, people = sorted(data.glob("0*.parquet")), data / "participants"
    outputs = {job: {name: place / file for name, file in files.items()} for job, files in MADE.items()}
    for files in outputs.values():
        for file in files.values():
            file.unlink(missing_ok=True)
    train_fusion(indexes, data / "packs", "lfan", "VT", 0, CONFIG, outputs["fusion"], RECORD)
    train_folds(indexes, data / "packs", people, "lfan", "VT", 0, CONFIG, outputs["folds"], RECORD)


def in_a_namespace() -> list[str]:
    """Command that starts a program as process 1 of a namespace of its own."""
    own = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command = ["unshare", *own, "--pid", "--fork", "--mount-proc"]
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this machine gives no process-id namespaces ({error})")
    return command


def write_data(folder: Path) -> None:
    """Packs and participants to learn from."""
    indexes, _ = write_packs(folder, {"train": 3, "val": 1, "test": 1}, questions=2)
    people = {row["participant"]: row["split"] for row in read_tables(indexes, PACK_INDEX)}
    unknown = dict.fromkeys(PARTICIPANTS.names) | {"consent_publication": False, "consent_challenge": False}
    rows = [unknown | {"participant": name, "split": split} for name, split in people.items()]
    write_table(folder / "participants", rows, PARTICIPANTS)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Where both have worked, many times at once."""
    command = [*in_a_namespace(), sys.executable, "-c", WORKER]
    place = tmp_path_factory.mktemp("hosts")
    write_data(place / "data")
    nodes = [subprocess.Popen([*command, str(place), me], stderr=subprocess.PIPE, text=True) for me in "ab"]
    output = [node.communicate(timeout=600)[1] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], "\n".join(output)
    assert [(place / f"process.{me}").read_text() for me in "ab"] == ["1", "1"]
    return place


def test_stores_and_tables_are_of_the_one_or_the_other(place):
    index = read_table(place / "stored/index.parquet", FEATURE_INDEX)
    (writer,) = {row["note"] for row in index}
    for video in VIDEOS:
        store = read_store(place / f"stored/stores/{video['participant']}/{video['video']}.zarr")
        assert {value for values in store.values() for value in values.tolist()} == {ord(writer)}
        assert len(store) == 2
    assert not list((place / "stored").rglob(".*"))


def test_a_training_ends_as_if_it_had_been_alone(place):
    train(place / "alone")
    left = {path.name for path in (place / "trained").iterdir()}
    assert left == {file for made in MADE.values() for file in made.values()}
    for file in sorted(left):
        alone, both = (place / folder / file for folder in ("alone", "trained"))
        if file == "model.pt":
            states = [load_checkpoint(path).state for path in (alone, both)]
            assert all(torch.equal(states[0][name], states[1][name]) for name in states[0] | states[1])
        elif file.endswith(".parquet"):
            assert both.read_bytes() == alone.read_bytes()
        else:  # seconds differ
            assert len(both.read_text().splitlines()) == len(alone.read_text().splitlines())
