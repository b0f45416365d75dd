"""The demo data set: synthetic participants in the BAH-300 release layout."""

from pathlib import Path

from waver.workflow.job import job
from waver.config.sections import DemoConfig
from waver.datasets.demo.build import build_demo

with job(snakemake) as j:
    build_demo(
        root=Path(j.output.manifest).with_suffix(""),
        manifest=Path(j.output.manifest),
        models=Path(j.input[0]).parents[1],
        config=DemoConfig(**j.params.config),
        workers=j.threads,
    )
