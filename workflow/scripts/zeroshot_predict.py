"""Answers of a model to one prompt, as predictions."""

from pathlib import Path

from waver.workflow.job import job
from waver.zeroshot.predictions import predict_answers

with job(snakemake) as j:
    predict_answers(
        tables=[Path(path) for path in j.input.tables],
        packs=[Path(path) for path in j.input.packs],
        name=j.wildcards.prompted_model,
        granularity=j.wildcards.granularity,
        prompt=j.wildcards.prompt,
        folding=j.params.folding,
        policy=j.params.policy,
        outputs={name: Path(path) for name, path in j.output.items()},
        known=j.params.known,
        record=j.params.record,
        answers=[Path(path) for path in j.input.answers],
    )
