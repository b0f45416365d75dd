"""Predictions of the controls: constants, question prior, content-free."""

from pathlib import Path

from waver.workflow.job import job
from waver.evaluation.control_names import Control
from waver.evaluation.controls import predict_controls

with job(snakemake) as j:
    predict_controls(
        indexes=[Path(index) for index in j.input.packs],
        packs=Path(j.input.packs[0]).with_name("packs"),
        answers=[Path(path) for path in j.input.answers],
        **j.params.folding,
        outputs={Control(*names): Path(path) for names, path in zip(j.params.controls, j.output, strict=True)},
        record=j.params.record,
    )
