"""Predictions of one trained model's head for complete videos."""

from pathlib import Path

from waver.workflow.job import job
from waver.training.frames.video_head import predict_video_head

with job(snakemake) as j:
    predict_video_head(
        indexes=[Path(index) for index in j.input.packs],
        packs=Path(j.input.packs[0]).with_name("packs"),
        model=Path(j.input.model),
        output=Path(j.output[0]),
        record=j.params.record,
    )
