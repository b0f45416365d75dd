"""Cues of voice, pauses and words of one shard."""

from pathlib import Path

from waver.workflow.job import job
from waver.features.cues.extract import extract_cues

with job(snakemake) as j:
    extract_cues(
        speech_index=Path(j.input.speech),
        speech_stores=Path(j.input.speech).with_name("stores"),
        audio_index=Path(j.input.audio) if j.input.audio else None,
        audio_stores=Path(j.input.audio).with_name("stores") if j.input.audio else None,
        videos=Path(j.input.videos),
        sentiment=Path(j.input.sentiment[0]) if j.input.sentiment else None,
        stores=Path(j.output.index).with_name("stores"),
        index=Path(j.output.index),
        code=j.params.code,
    )
