"""The recogniser of speech, given in the format of transformers, in that of CTranslate2."""

from pathlib import Path

from waver.workflow.job import job
from waver.features.whisper_conversion import convert_whisper

with job(snakemake) as j:
    convert_whisper(model=Path(j.input.model), folder=Path(j.output.record).parent)
