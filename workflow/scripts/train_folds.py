"""Out-of-fold predictions of one fusion model on one set of modalities with one seed."""

from pathlib import Path

from waver.workflow.job import job
from waver.config.sections import TrainConfig
from waver.training.frames.folds import train_folds

with job(snakemake) as j:
    train_folds(
        indexes=[Path(index) for index in j.input.packs],
        packs=Path(j.input.packs[0]).with_name("packs"),
        participants=Path(j.input.participants),
        fusion=j.params.fusion,
        modalities=j.wildcards.modalities,
        seed=int(j.wildcards.seed),
        config=TrainConfig(**j.params.config),
        outputs={name: Path(j.output[name]) for name in ("predictions", "history")},
        record=j.params.record,
        segments=[Path(table) for table in j.input.segments],
    )
