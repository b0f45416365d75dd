"""The language model of an asked model, fine-tuned on one prompt."""

from pathlib import Path

from waver.workflow.job import job
from waver.config.zeroshot import ZeroShotConfig
from waver.zeroshot.finetune.job import finetune
from waver.zeroshot.items import shards_of

with job(snakemake) as j:
    finetune(
        shards_of(j.input.answers, j.input.videos, j.input.speech, j.input.faces, Path(j.params.root)),
        model=Path(j.input.model[0]),
        name=j.params.base,
        seed=j.params.seed,
        question=j.params.question,
        config=ZeroShotConfig(**j.params.config),
        hesitations=j.params.hesitations,
        code=j.params.code,
        outputs={name: Path(path) for name, path in j.output.items()},
    )
