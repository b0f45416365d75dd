"""Cues that are told, against annotated ones."""

from pathlib import Path

from waver.workflow.job import job
from waver.config.sections import EvaluateConfig
from waver.zeroshot.cue_evaluation import evaluate_cues

with job(snakemake) as j:
    evaluate_cues(
        videos=[Path(path) for path in j.input.videos],
        segments=Path(j.input.segments),
        indexes={name: [Path(path) for path in j.input[name]] for name in j.params.features},
        stores={name: Path(j.input[name][0]).with_name("stores") for name in j.params.features},
        config=EvaluateConfig(**j.params.config),
        output=Path(j.output.cues),
    )
