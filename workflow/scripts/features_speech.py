"""Words and their times in one shard."""

from pathlib import Path

from waver.workflow.job import job
from waver.config.sections import SpeechConfig
from waver.features.speech import recognise_speech

with job(snakemake) as j:
    recognise_speech(
        videos=Path(j.input.videos),
        transcripts=Path(j.input.transcripts),
        root=Path(j.params.root),
        model=Path(j.input.model[0]) if j.input.model else None,
        aligners=[Path(path) for path in j.input.aligners],
        stores=Path(j.output.index).with_name("stores"),
        index=Path(j.output.index),
        config=SpeechConfig(**j.params.config),
        code=j.params.code,
    )
