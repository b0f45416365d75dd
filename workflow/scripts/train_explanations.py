"""Explanations of one trained model, frame by frame."""

from pathlib import Path

from waver.workflow.job import job
from waver.training.frames.explanations import explain_videos

with job(snakemake) as j:
    explain_videos(
        indexes=[Path(index) for index in j.input.packs],
        packs=Path(j.input.packs[0]).with_name("packs"),
        model=Path(j.input.model),
        output=Path(j.output[0]),
        record=j.params.record,
    )
