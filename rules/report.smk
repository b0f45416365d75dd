"""report: one self-contained page."""

PAGE_PARTS = sorted(
    path
    for path in (SOURCE / "report").iterdir()
    if path.suffix in (".html", ".css", ".js", ".yaml")
)


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
        weights=answers_outputs("weights.parquet"),
        models=model_records(),
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
            "evaluate": {"least_group": cfg.evaluate.least_group},
            "models": {"set": cfg.models.set},
            "dataset": {"name": cfg.dataset.name},
            "train": {"select": cfg.train.select} | FOLDING,
        },
        run=cfg.run,
        demo=cfg.dataset.source == "demo",
        code=code("report_html", "waver.report.page"),
    message:
        "Writing the report"
    script:
        "../workflow/scripts/report_html.py"
