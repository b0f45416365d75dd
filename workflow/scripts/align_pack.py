"""Modalities and labels of one shard on the 24 fps clock."""

from pathlib import Path

from waver.workflow import job
from waver.align.timeline import align_pack
from waver.config.sections import AlignConfig

with job(snakemake) as j:
    align_pack(
        videos=Path(j.input.videos),
        segments=Path(j.input.segments),
        indexes={thing: Path(j.input[thing]) for thing in j.params.things},
        stores={thing: Path(j.input[thing]).with_name("stores") for thing in j.params.things},
        pack=Path(j.output.index).with_name("packs") / f"{j.wildcards.shard}.zarr",
        index=Path(j.output.index),
        config=AlignConfig(**j.params.config),
        code=j.params.code,
    )
