"""The tables of a data set, over the whole data set and by shard."""

from pathlib import Path

from waver.workflow.job import job
from waver.datasets.ingest import ingest

TABLES = ("participants", "videos", "answers", "segments", "transcripts", "set_aside")

with job(snakemake) as j:
    tables = {name: Path(j.output[name]) for name in TABLES}
    ingest(
        root=Path(j.params.root),
        layout=j.params.layout,
        shards=j.params.shards,
        tables=tables,
        shard_folder=Path(j.output.shards[0]).parent,
        cache=tables["videos"].with_name("probes.json"),
        recorded=j.params.recorded,
        reader=j.params.reader,
        purpose=j.params.purpose,
    )
