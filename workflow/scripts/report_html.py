"""The report: one self-contained page and its figures."""

from pathlib import Path

from waver.workflow.job import job
from waver.report.build import PageConfig, ReportInputs, render_report

ONE = ("scores", "comparisons", "calibration", "decomposition", "participants", "videos", "segments", "set_aside")
MANY = ("answers", "predictions", "adapted", "diagnostics", "weights", "models")

with job(snakemake) as j:
    inputs = ReportInputs(
        **{name: Path(j.input[name]) for name in ONE},
        **{name: [Path(path) for path in j.input[name]] for name in MANY},
        feature_indexes={feature: [Path(path) for path in j.input[feature]] for feature in j.params.features},
        feature_stores={feature: Path(j.input[feature][0]).with_name("stores") for feature in j.params.features},
        pack_indexes=[Path(path) for path in j.input.packs],
        packs=Path(j.input.packs[0]).with_name("packs"),
        histories=dict(zip(map(Path, j.input.histories), j.params.trained, strict=True)),
        benchmarks=Path(j.params.benchmarks),
        **dict(zip(j.params.further, map(Path, j.input.further), strict=True)),
        tables=Path(j.input.tables),
    )
    config = PageConfig(**j.params.config)
    written = [Path(j.output[name]) for name in ("page", "figures", "card", "croissant")]
    render_report(inputs, config, j.params.run, j.params.demo, *written)
