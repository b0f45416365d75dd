"""report: the papers' tables and the table of costs as files, and one self-contained page."""

import os

from waver.report.names import FIGURE, TABLES

# relative to the folder of the run: a copy of the folder has the same inputs, and nothing to do
REPORT_SOURCE = Path(os.path.relpath(SOURCE / "report"))
PAGE_PARTS = sorted(
    path
    for path in REPORT_SOURCE.iterdir()
    if path.suffix in (".html", ".css", ".js", ".yaml")
)


localrules:
    tables,


rule report_tables:
    input:
        **{thing: every_shard(paths.feature_index(thing)) for thing in THINGS},
        layouts=[REPORT_SOURCE / name for name in ("papers.yaml", "published.yaml")],
        scores=paths.scores,
        beside=scores_beside(),
        costs=cost_outputs(),
        answers=answers_outputs("predictions.parquet"),
        models=model_records(),
    output:
        index=paths.report_table("tables.json"),
        tables=report(
            expand(paths.report_table("{name}.md"), name=TABLES), category="Tables"
        ),
        values=expand(
            paths.report_table("{name}.{form}"), name=TABLES, form=["csv", "tex"]
        ),
        figure=paths.report_table(f"{FIGURE}.svg"),
    log:
        paths.log("report_tables"),
    benchmark:
        paths.benchmark("report_tables")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
    params:
        things=THINGS,
        beside=list(cfg.report.beside),
        backbone=cfg.features.visual.backbone if RECORDED else "",
        kinds=table_kinds(),
        data=cfg.dataset.name,
        demo=cfg.dataset.source == "demo",
        benchmarks=f"benchmarks/{cfg.run}",
        code=code("report_tables", "waver.report.files"),
    message:
        "Filling the papers' tables"
    script:
        "../workflow/scripts/report_tables.py"


# also one by one: snakemake results/<run>/report/tables/2026_table_2.md
rule tables:
    input:
        rules.report_tables.output,


rule report_html:
    input:
        **{thing: every_shard(paths.feature_index(thing)) for thing in THINGS},
        parts=PAGE_PARTS,
        scores=paths.scores,
        comparisons=paths.comparisons,
        calibration=paths.calibration,
        decomposition=paths.decomposition,
        answers=every_shard(paths.shard_table("answers")),
        participants=dataset_table("participants"),
        videos=dataset_table("videos"),
        segments=dataset_table("segments"),
        set_aside=dataset_table("set_aside"),
        packs=every_shard(paths.pack_index),
        histories=train_outputs("history.jsonl"),
        predictions=train_outputs("predictions.parquet")
        + [paths.control_predictions.format(control="content_free.frame.standard")],
        adapted=adapt_outputs(),
        weights=answers_outputs("weights.parquet"),
        models=model_records(),
        tables=paths.report_table("tables.json"),
    output:
        page=report(paths.report("report.html"), category="Report"),
        figures=report(
            directory(paths.report("figures")),
            patterns=["{name}.svg"],
            category="Figures",
        ),
    log:
        paths.log("report_html"),
    benchmark:
        paths.benchmark("report_html")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
    params:
        things=THINGS,
        benchmarks=f"benchmarks/{cfg.run}",
        config={
            "report": cfg.report.model_dump(),
            "evaluate": cfg.evaluate.model_dump(include={"least_group", "video_rule"}),
            "models": {"set": cfg.models.set},
            "dataset": {"name": cfg.dataset.name},
            "train": {"select": cfg.train.select} | FOLDING,
        },
        trained=[model.record for model in MODELS for seed in cfg.train.seeds],
        run=cfg.run,
        demo=cfg.dataset.source == "demo",
        code=code("report_html", "waver.report.page"),
    message:
        "Writing the report"
    script:
        "../workflow/scripts/report_html.py"
