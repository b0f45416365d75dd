"""Modalities and labels of one shard on the 24 fps clock."""

from pathlib import Path

from waver.workflow.job import job
from waver.align.timeline import align_pack
from waver.config.sections import AlignConfig

with job(snakemake) as j:
    align_pack(
        videos=Path(j.input.videos),
        segments=Path(j.input.segments),
        indexes={feature: Path(j.input[feature]) for feature in j.params.features},
        stores={feature: Path(j.input[feature]).with_name("stores") for feature in j.params.features},
        pack=Path(j.output.index).with_name("packs") / f"{j.wildcards.shard}.zarr",
        index=Path(j.output.index),
        config=AlignConfig(**j.params.config),
        code=j.params.code,
    )
