"""Predictions that look at nobody: constants, question prior, content-free."""

from pathlib import Path

from waver.workflow import job
from waver.evaluation.controls import predict_controls

with job(snakemake) as j:
    predict_controls(
        indexes=[Path(index) for index in j.input.packs],
        packs=Path(j.input.packs[0]).with_name("packs"),
        answers=[Path(path) for path in j.input.answers],
        **j.params.folding,
        outputs={Path(path).stem: Path(path) for path in j.output},
        record=j.params.record,
    )
