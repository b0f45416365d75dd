"""Aligned faces of one shard."""

from pathlib import Path

from waver.workflow.job import job
from waver.config.sections import FacesConfig
from waver.features.faces.released import make_faces

with job(snakemake) as j:
    make_faces(
        videos=Path(j.input.videos),
        root=Path(j.params.root),
        model=Path(j.input.model),
        embedding=Path(j.input.embedding[0]) if j.input.embedding else None,
        stores=Path(j.output.index).with_name("stores"),
        index=Path(j.output.index),
        config=FacesConfig(**j.params.config),
        code=j.params.code,
    )
