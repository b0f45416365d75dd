"""Encodings of the answers' text of one shard."""

from pathlib import Path

from waver.workflow.job import job
from waver.config.sections import WordsConfig
from waver.features.answer_encodings import encode_shard

with job(snakemake) as j:
    encode_shard(
        answers=Path(j.input.answers),
        model=Path(j.input.model),
        sentences=Path(j.input.sentences),
        stores=Path(j.output.index).with_name("stores"),
        index=Path(j.output.index),
        config=WordsConfig(**j.params.config),
        code=j.params.code,
    )
