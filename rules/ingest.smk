"""ingest: a release on disk -> participants, videos, segments, transcripts; one small table a shard."""

from waver.data.inventory import inventory

DEMO_MEDIA = [name for name, asset in manifest().items() if asset.set == "demo"]
DEMO_TEXTS = [
    SOURCE / "data/demo" / name for name in ("answers.yaml", "portraits.yaml")
]


if cfg.dataset.source == "demo":

    rule ingest_demo:
        input:
            expand("resources/models/{model}/asset.json", model=DEMO_MEDIA),
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
            texts=[file_sha256(path) for path in DEMO_TEXTS],
            code=code("ingest_demo", "waver.data.demo.build"),
        message:
            "Making the demo data set"
        script:
            "../workflow/scripts/ingest_demo.py"


checkpoint ingest_tables:
    input:
        [paths.demo_manifest] if cfg.dataset.source == "demo" else [],
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
        root=lambda wildcards: ROOT,
        layout=cfg.dataset.layout,
        shards=cfg.dataset.shards,
        recorded=cfg.dataset.source != "transcripts",
        inventory=lambda wildcards: (
            "generated" if cfg.dataset.source == "demo" else inventory(Path(ROOT))
        ),
        code=code("ingest_tables", "waver.data.ingest"),
    message:
        "Reading the release at {params.root}"
    script:
        "../workflow/scripts/ingest_tables.py"
