"""The papers' tables with this run's scores, and the table of costs, as files."""

from pathlib import Path

from waver.workflow.job import job
from waver.report.tables.model_costs import CostInputs
from waver.report.tables.write import TableInputs, write_tables

with job(snakemake) as j:
    costs = CostInputs(
        costs=[Path(path) for path in j.input.costs],
        answers=[Path(path) for path in j.input.answers],
        models=[Path(path) for path in j.input.models],
        features={feature: [Path(path) for path in j.input[feature]] for feature in j.params.features},
        benchmarks=Path(j.params.benchmarks),
    )
    inputs = TableInputs(
        scores=Path(j.input.scores),
        other_runs=dict(zip(j.params.other_runs, map(Path, j.input.other_runs), strict=True)),
        costs=costs,
        backbone=j.params.backbone,
        kinds=j.params.kinds,
        data=j.params.data,
        demo=j.params.demo,
    )
    write_tables(inputs, Path(j.output.index).parent)
