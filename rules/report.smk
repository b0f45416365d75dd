"""report: the papers' tables and the table of costs as files, and one self-contained page."""

from waver.report.tables.names import FIGURE, TABLES


localrules:
    tables,


rule report_tables:
    input:
        **{name: every_shard(paths.feature_index(name)) for name in flow.features.names},
        scores=paths.scores,
        other_runs=flow.report.other_scores(),
        costs=flow.costs.outputs(),
        answers=flow.answers.outputs("predictions.parquet"),
        models=flow.model_records(),
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
        features=flow.features.names,
        other_runs=list(cfg.report.other_runs),
        backbone=flow.report.backbone(),
        kinds=flow.report.table_kinds(),
        data=cfg.dataset.name,
        demo=flow.run.demo,
        benchmarks=f"benchmarks/{cfg.run}",
        methods=flow.methods(),
        modalities=flow.modalities(),
        code=code_of("report_tables"),
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
        **{name: every_shard(paths.feature_index(name)) for name in flow.features.names},
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
        histories=flow.frames.outputs("history.jsonl"),
        predictions=flow.frames.outputs("predictions.parquet") + flow.evaluate.shown(),
        adapted=flow.adapt.predictions()
        + flow.fusions.predictions()
        + flow.faces.predictions(),
        diagnostics=flow.adapt.diagnostics()
        + flow.fusions.diagnostics()
        + flow.faces.diagnostics(),
        weights=flow.answers.outputs("weights.parquet"),
        models=flow.model_records(),
        further=list(flow.tables().values()),
        tables=paths.report_table("tables.json"),
    output:
        page=report(paths.report("report.html"), category="Report"),
        card=paths.report("data_card.md"),
        croissant=paths.report("croissant.json"),
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
        features=flow.features.names,
        benchmarks=f"benchmarks/{cfg.run}",
        config=flow.report.page_config(),
        trained=flow.frames.records_of_outputs(),
        further=list(flow.tables()),
        run=cfg.run,
        demo=flow.run.demo,
        methods=flow.methods(),
        modalities=flow.modalities(),
        code=code_of("report_html"),
    message:
        "Writing the report"
    script:
        "../workflow/scripts/report_html.py"
