"""One model of what was said, on the words or on the question too, with one seed."""

from pathlib import Path

from waver.workflow import job
from waver.training.answers import train_answers

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
