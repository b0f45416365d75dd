"""Frames of val and test by the visual backbone that was trained on frames, without their context."""

from pathlib import Path

from waver.workflow.job import job
from waver.training.backbones.predictions import predict_frames

with job(snakemake) as j:
    predict_frames(
        indexes=[Path(index) for index in j.input.packs],
        packs=Path(j.input.packs[0]).with_name("packs"),
        model=Path(j.input.model),
        output=Path(j.output[0]),
        record=j.params.record,
    )
