"""Costs of one trained model: parameters, operations, seconds."""

from pathlib import Path

from waver.workflow.job import job
from waver.training.profiling.measure import measure

with job(snakemake) as j:
    measure(
        unit=j.params.unit,
        record=j.params.record,
        models=[Path(path) for path in j.input.models],
        histories=[Path(path) for path in j.input.histories],
        weights=dict(zip(j.params.roles, map(Path, j.input.weights), strict=True)),
        output=Path(j.output[0]),
    )
