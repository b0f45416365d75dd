"""Word vectors of one shard, and the word of each frame."""

from pathlib import Path

from waver.workflow.job import job
from waver.config.sections import WordsConfig
from waver.features.words import embed_words

with job(snakemake) as j:
    embed_words(
        speech_index=Path(j.input.speech),
        speech_stores=Path(j.input.speech).with_name("stores"),
        videos=Path(j.input.videos),
        model=Path(j.input.model),
        stores=Path(j.output.index).with_name("stores"),
        index=Path(j.output.index),
        config=WordsConfig(**j.params.config),
        code=j.params.code,
    )
