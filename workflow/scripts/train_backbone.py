"""The visual backbone on frames with and without A/H."""

from pathlib import Path

from waver.workflow.job import job
from waver.config.backbone import FramesStage
from waver.training.backbones.face_frames import FaceTables
from waver.training.backbones.frames import train_backbone
from waver.training.backbones.stage import Start

with job(snakemake) as j:
    train_backbone(
        tables=FaceTables(
            **{name: [Path(file) for file in j.input[name]] for name in ("faces", "videos", "segments")},
            tolerance=j.params.tolerance,
        ),
        config=FramesStage(**j.params.config),
        start=Start(
            **j.params.start,
            initial=Path(j.input.initial[0]) if j.input.initial else None,
            memory_bytes=j.resources.mem_mb * 500_000,
        ),
        outputs={name: Path(j.output[name]) for name in ("record", "history")},
    )
