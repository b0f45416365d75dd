"""What one trained model's head for whole videos says of them."""

from pathlib import Path

from waver.workflow import job
from waver.training.video_heads import predict_video_head

with job(snakemake) as j:
    predict_video_head(
        indexes=[Path(index) for index in j.input.packs],
        packs=Path(j.input.packs[0]).with_name("packs"),
        model=Path(j.input.model),
        output=Path(j.output[0]),
        record=j.params.record,
    )
