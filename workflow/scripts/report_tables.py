"""The papers' tables with this run's scores, and the table of costs, as files."""

from pathlib import Path

from waver.workflow import job
from waver.report.compute import CostInputs
from waver.report.files import TableInputs, write_tables

with job(snakemake) as j:
    costs = CostInputs(
        costs=[Path(path) for path in j.input.costs],
        answers=[Path(path) for path in j.input.answers],
        models=[Path(path) for path in j.input.models],
        features={thing: [Path(path) for path in j.input[thing]] for thing in j.params.things},
        benchmarks=Path(j.params.benchmarks),
    )
    inputs = TableInputs(
        scores=Path(j.input.scores),
        beside=dict(zip(j.params.beside, map(Path, j.input.beside), strict=True)),
        costs=costs,
        backbone=j.params.backbone,
        kinds=j.params.kinds,
        data=j.params.data,
        demo=j.params.demo,
    )
    write_tables(inputs, Path(j.output.index).parent)
