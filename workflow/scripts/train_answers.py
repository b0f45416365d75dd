"""One model of the answers' text, with or without the question, with one seed."""

from pathlib import Path

from waver.workflow.job import job
from waver.training.answers.fit import train_answers

with job(snakemake) as j:
    train_answers(
        answers=[Path(path) for path in j.input.answers],
        encodings=[Path(path) for path in j.input.encodings],
        encoder=Path(j.input.model),
        name=j.wildcards.answers,
        inputs=j.wildcards.inputs,
        seed=int(j.wildcards.seed),
        **j.params.config,
        outputs={name: Path(j.output[name]) for name in ("predictions", "folds", "weights")},
        record=j.params.record,
    )
