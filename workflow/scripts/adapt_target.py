"""One adaptation method on the target participants of one shard."""

from pathlib import Path

from waver.workflow.job import job
from waver.adaptation.protocol import Guard
from waver.adaptation.runner import adapt_targets
from waver.config.sections import AdaptConfig

with job(snakemake) as j:
    adapt_targets(
        indexes=[Path(j.input.targets)],
        packs=Path(j.input.packs[0]).with_name("packs"),
        source=Path(j.input.source),
        method=j.wildcards.method,
        protocol=j.wildcards.protocol,
        guard=Guard(**j.params.guard),
        seed=int(j.wildcards.seed),
        config=AdaptConfig(**j.params.config),
        predictions=Path(j.output.predictions),
        record=j.params.record,
        only=j.params.only,
        source_indexes=[Path(index) for index in j.input.packs],
    )
