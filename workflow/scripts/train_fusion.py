"""One fusion model on one set of modalities with one seed."""

from functools import partial
from pathlib import Path

from waver.workflow.job import job
from waver.config.sections import TrainConfig
from waver.training.frames.fit import train_fusion
from waver.training.tensorboard import scalar_log

with job(snakemake) as j:
    train_fusion(
        indexes=[Path(index) for index in j.input.packs],
        packs=Path(j.input.packs[0]).with_name("packs"),
        fusion=j.params.fusion,
        modalities=j.wildcards.modalities,
        seed=int(j.wildcards.seed),
        config=TrainConfig(**j.params.config),
        outputs={name: Path(j.output[name]) for name in ("model", "history", "predictions")},
        record=j.params.record,
        segments=[Path(table) for table in j.input.segments],
        scalar_log=partial(scalar_log, Path(j.output.history).parent),
    )
