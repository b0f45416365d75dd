"""The source model that every adaptation method starts from."""

from pathlib import Path

from waver.workflow.job import job
from waver.adaptation.source_model import train_source
from waver.config.sections import AdaptConfig
from waver.training.frames.folds import fold_table

with job(snakemake) as j:
    train_source(
        indexes=[Path(index) for index in j.input.packs],
        packs=Path(j.input.packs[0]).with_name("packs"),
        seed=int(j.wildcards.seed),
        config=AdaptConfig(**j.params.config),
        model=Path(j.output.model),
        fold_of=fold_table(Path(j.input.participants), *j.params.folding) if j.params.folding else None,
    )
