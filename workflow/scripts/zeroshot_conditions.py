"""What the answers of models that were asked are worth."""

from pathlib import Path

from waver.workflow.job import job
from waver.config.sections import EvaluateConfig
from waver.zeroshot.condition_scores import score_conditions

with job(snakemake) as j:
    score_conditions(
        predictions=[Path(path) for path in j.input.predictions],
        indexes=[Path(path) for path in j.input.packs],
        packs=Path(j.input.packs[0]).with_name("packs"),
        answers=[Path(path) for path in j.input.answers],
        config=EvaluateConfig(**j.params.config),
        output=Path(j.output.conditions),
    )
