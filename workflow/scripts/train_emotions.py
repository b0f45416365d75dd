"""The visual backbone on basic emotions."""

from pathlib import Path

from waver.workflow.job import job
from waver.config.backbone import EmotionsStage
from waver.config.sections import FacesConfig
from waver.training.backbones.emotion_faces import FaceSource
from waver.training.backbones.emotions import train_emotions
from waver.training.backbones.stage import Start

with job(snakemake) as j:
    train_emotions(
        config=EmotionsStage(**j.params.config),
        start=Start(
            **j.params.start,
            initial=Path(j.input.initial[0]) if j.input.initial else None,
            memory_bytes=j.resources.mem_mb * 500_000,
        ),
        faces=FaceSource(Path(j.input.detector[0]), FacesConfig(**j.params.faces)) if j.input.detector else None,
        outputs={name: Path(j.output[name]) for name in ("record", "history", "pictures", "set_aside")},
    )
