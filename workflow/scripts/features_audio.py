"""Log-mel track and audio features of one shard."""

from pathlib import Path

from waver.workflow.job import job
from waver.config.sections import AudioConfig
from waver.features.audio.extract import extract_audio

with job(snakemake) as j:
    extract_audio(
        videos=Path(j.input.videos),
        root=Path(j.params.root),
        model=Path(j.input.model[0]) if j.input.model else None,
        stores=Path(j.output.index).with_name("stores"),
        index=Path(j.output.index),
        config=AudioConfig(**j.params.config),
        code=j.params.code,
        language=j.params.language,
    )
