"""The report: one self-contained page and its figures."""

from pathlib import Path

from waver.workflow import job
from waver.report.page import ReportInputs, render_report

ONE = ("scores", "comparisons", "calibration", "decomposition", "participants", "videos", "segments", "set_aside")
MANY = ("answers", "predictions", "adapted", "weights", "models")

with job(snakemake) as j:
    inputs = ReportInputs(
        **{name: Path(j.input[name]) for name in ONE},
        **{name: [Path(path) for path in j.input[name]] for name in MANY},
        feature_indexes={thing: [Path(path) for path in j.input[thing]] for thing in j.params.things},
        feature_stores={thing: Path(j.input[thing][0]).with_name("stores") for thing in j.params.things},
        pack_indexes=[Path(path) for path in j.input.packs],
        packs=Path(j.input.packs[0]).with_name("packs"),
        histories=dict(zip(map(Path, j.input.histories), j.params.trained, strict=True)),
        benchmarks=Path(j.params.benchmarks),
        tables=Path(j.input.tables),
    )
    render_report(inputs, j.params.config, j.params.run, j.params.demo, Path(j.output.page), Path(j.output.figures))
