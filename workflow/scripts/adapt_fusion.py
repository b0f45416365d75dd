"""One adaptation method on a trained fusion, for the target participants of one shard."""

from pathlib import Path

from waver.workflow.job import job
from waver.adaptation.fusion.runner import adapt_fusion
from waver.adaptation.protocol import Guard

with job(snakemake) as j:
    adapt_fusion(
        indexes=[Path(j.input.packs)],
        packs=Path(j.input.packs).with_name("packs"),
        model=Path(j.input.model),
        modalities=j.wildcards.modalities,
        method=j.wildcards.method,
        protocol=j.wildcards.protocol,
        guard=Guard(**j.params.guard),
        seed=int(j.wildcards.seed),
        targets=j.params.config["targets"],
        options=j.params.config["options"],
        predictions=Path(j.output.predictions),
        record=j.params.record,
        only=j.params.only,
    )
