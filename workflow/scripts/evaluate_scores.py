"""Scores of every method and control, with intervals."""

from pathlib import Path

from waver.workflow.job import job
from waver.config.sections import EvaluateConfig
from waver.evaluation.scores import score_predictions

with job(snakemake) as j:
    score_predictions(
        predictions=[Path(path) for path in j.input.predictions],
        indexes=[Path(index) for index in j.input.packs],
        packs=Path(j.input.packs[0]).with_name("packs"),
        participants=Path(j.input.participants),
        answers=[Path(path) for path in j.input.answers],
        config=EvaluateConfig(**j.params.config),
        outputs={name: Path(path) for name, path in j.output.items()},
        models=j.params.models,
    )
