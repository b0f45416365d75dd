"""Features of one shard's faces by CLIP's image tower."""

from pathlib import Path

from waver.workflow.job import job
from waver.features.embeddings import extract_embeddings

with job(snakemake) as j:
    extract_embeddings(
        faces_index=Path(j.input.faces),
        faces_stores=Path(j.input.faces).with_name("stores"),
        model=Path(j.input.model),
        stores=Path(j.output.index).with_name("stores"),
        index=Path(j.output.index),
        batch=j.params.batch,
        code=j.params.code,
    )
