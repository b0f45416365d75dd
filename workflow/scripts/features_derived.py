"""A modality of one shard that is computed from other features."""

from pathlib import Path

from waver.workflow.job import job
from waver.features.derived import extract_derived

with job(snakemake) as j:
    extract_derived(
        feature=j.wildcards.derived,
        function=j.params.function,
        sources=dict(zip(j.params.sources, map(Path, j.input.sources), strict=True)),
        stores=Path(j.output.index).with_name("stores"),
        index=Path(j.output.index),
        code=j.params.code,
    )
