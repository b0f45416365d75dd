"""Visual features of one shard's faces."""

from pathlib import Path

from waver.workflow.job import job
from waver.config.sections import VisualConfig
from waver.features.visual import extract_visual

with job(snakemake) as j:
    extract_visual(
        faces_index=Path(j.input.faces),
        faces_stores=Path(j.input.faces).with_name("stores"),
        model=Path(j.input.model),
        stores=Path(j.output.index).with_name("stores"),
        index=Path(j.output.index),
        config=VisualConfig(**j.params.config),
        code=j.params.code,
    )
