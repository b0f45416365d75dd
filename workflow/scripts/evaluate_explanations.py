"""What explanations point at, against annotated inconsistencies."""

from pathlib import Path

from waver.workflow.job import job
from waver.config.sections import EvaluateConfig
from waver.evaluation.explained_cues import evaluate_explanations

with job(snakemake) as j:
    evaluate_explanations(
        explanations=[Path(path) for path in j.input.explanations],
        segments=Path(j.input.segments),
        indexes=[Path(index) for index in j.input.packs],
        packs=Path(j.input.packs[0]).with_name("packs"),
        config=EvaluateConfig(**j.params.config),
        output=Path(j.output.cues),
    )
