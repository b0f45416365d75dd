"""The visual backbone on frames with and without A/H."""

from pathlib import Path

from waver.workflow import job
from waver.config.backbone import FramesStage
from waver.training.backbone_frames import train_backbone
from waver.training.backbones import Start
from waver.training.face_frames import FaceTables

with job(snakemake) as j:
    train_backbone(
        tables=FaceTables(
            **{thing: [Path(file) for file in j.input[thing]] for thing in ("faces", "videos", "segments")},
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
