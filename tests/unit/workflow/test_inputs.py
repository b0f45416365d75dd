"""Input functions of rules that wait for the checkpoint."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from waver.workflow.inputs import Inputs

TABLES = SimpleNamespace(participants="resources/x/ingest/participants.parquet")


class Waiting(Exception):
    """What Snakemake raises until the checkpoint is finished."""


class Checkpoints:
    """As Snakemake's: ``ingest_tables`` is finished when its outputs are among ``created_output``."""

    def __init__(self) -> None:
        self.created_output: set[str] = set()
        self.calls = 0
        self.ingest_tables = self

    def get(self) -> SimpleNamespace:
        self.calls += 1
        if "tables" not in self.created_output:
            raise Waiting
        return SimpleNamespace(output=TABLES)


@pytest.fixture
def checkpoints() -> Checkpoints:
    return Checkpoints()


@pytest.fixture
def inputs(checkpoints) -> Inputs:
    return Inputs(["000", "001"], checkpoints)


@pytest.mark.parametrize(
    ("make", "wildcards", "files"),
    [
        (
            lambda inputs: inputs.of_shard("a/{method}/{shard}.parquet"),
            {"method": "m", "shard": "001"},
            "a/m/001.parquet",
        ),
        (lambda inputs: inputs.every_shard("a/{shard}"), {}, ["a/000", "a/001"]),
        (lambda inputs: inputs.dataset_table("participants"), {}, TABLES.participants),
        (lambda inputs: inputs.after_ingest(lambda wildcards: [wildcards["seed"]]), {"seed": "3"}, ["3"]),
    ],
    ids=["shard", "shards", "table", "any"],
)
def test_files_are_named_when_the_tables_are_there(inputs, checkpoints, make, wildcards, files):
    function = make(inputs)
    with pytest.raises(Waiting):
        function(wildcards)
    checkpoints.created_output.add("tables")
    assert function(wildcards) == files


def test_snakemake_is_called_once_a_state_of_planning(inputs, checkpoints):
    functions = [inputs.of_shard("a/{shard}"), inputs.every_shard("b/{shard}")]
    for function in functions * 3:
        with pytest.raises(Waiting):
            function({"shard": "000"})
    assert checkpoints.calls == 1
    checkpoints.created_output |= {"tables", "more"}
    assert [function({"shard": "000"}) for function in functions * 3]
    assert checkpoints.calls == 2
