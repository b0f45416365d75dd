"""ingest: a release on disk -> participants, videos, segments, transcripts; one small table per shard."""

if flow.run.demo:

    rule ingest_demo:
        input:
            flow.ingest.demo_media(),
        output:
            manifest=paths.demo_manifest,
        log:
            paths.log("ingest_demo"),
        benchmark:
            paths.benchmark("ingest_demo")
        conda:
            ENVIRONMENT
        threads: 8
        resources:
            mem_mb=2000,
        params:
            config=cfg.dataset.demo.model_dump(),
            code=code_of("ingest_demo"),
        message:
            "Making the demo data set"
        script:
            "../workflow/scripts/ingest_demo.py"


checkpoint ingest_tables:
    input:
        [paths.demo_manifest] if flow.run.demo else [],
    output:
        participants=paths.table("participants"),
        videos=paths.table("videos"),
        answers=paths.table("answers"),
        segments=paths.table("segments"),
        transcripts=paths.table("transcripts"),
        set_aside=paths.table("set_aside"),
        shards=expand(
            paths.shard_table("{table}"),
            shard=SHARDS,
            table=["videos", "answers", "segments", "transcripts"],
        ),
    log:
        paths.log("ingest_tables"),
    benchmark:
        paths.benchmark("ingest_tables")
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=4000,
    params:
        root=lambda wildcards: flow.ingest.root,
        reader=cfg.dataset.reader,
        layout=cfg.dataset.layout,
        purpose=cfg.dataset.purpose,
        shards=cfg.dataset.shards,
        recorded=flow.run.recorded,
        inventory=flow.ingest.inventory,
        code=code_of("ingest_tables", flow.ingest.reader),
    message:
        "Reading the data set at {params.root}"
    script:
        "../workflow/scripts/ingest_tables.py"
