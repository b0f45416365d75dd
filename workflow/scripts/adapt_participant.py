"""The predictions for one participant."""

from pathlib import Path

from waver.workflow.job import job
from waver.adaptation.one_participant import write_participant

with job(snakemake) as j:
    write_participant(
        shards=[Path(shard) for shard in j.input.shards],
        participant=j.wildcards.participant,
        predictions=Path(j.output.predictions),
    )
