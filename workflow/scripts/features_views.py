"""Views of one shard's faces by CLIP's image tower."""

from pathlib import Path

from waver.workflow.job import job
from waver.config.sections import VisionLanguageConfig
from waver.features.embeddings import extract_views

with job(snakemake) as j:
    extract_views(
        faces_index=Path(j.input.faces),
        faces_stores=Path(j.input.faces).with_name("stores"),
        videos=Path(j.input.videos),
        split=j.params.split,
        model=Path(j.input.model),
        stores=Path(j.output.index).with_name("stores"),
        index=Path(j.output.index),
        config=VisionLanguageConfig(**j.params.config),
        code=j.params.code,
    )
