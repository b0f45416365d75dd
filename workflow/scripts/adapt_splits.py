"""Which frames each participant is adapted to, chosen and scored on."""

from pathlib import Path

from waver.workflow.job import job
from waver.adaptation.protocol import Guard
from waver.adaptation.split_table import write_split_table

with job(snakemake) as j:
    write_split_table(
        indexes=[Path(index) for index in j.input.packs],
        packs=Path(j.input.packs[0]).with_name("packs"),
        splits=j.params.splits,
        protocol=j.wildcards.protocol,
        guard=Guard(**j.params.guard),
        table=Path(j.output.table),
        only=j.params.only,
    )
