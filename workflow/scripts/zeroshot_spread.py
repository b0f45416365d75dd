"""Answers about whole videos as those of their frames."""

from pathlib import Path

from waver.workflow.job import job
from waver.zeroshot.predictions import spread_over_frames

with job(snakemake) as j:
    spread_over_frames(Path(j.input.predictions), [Path(path) for path in j.input.packs], Path(j.output.predictions))
