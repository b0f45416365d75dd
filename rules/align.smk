"""align: faces, sound, words and labels on the 24 fps clock; one pack a shard."""

ALIGNED = ["faces", "visual", "audio", "words"]


rule align_pack:
    input:
        videos=shard_table("videos"),
        segments=shard_table("segments"),
        **{thing: paths.feature_index(thing) for thing in ALIGNED},
    output:
        index=paths.pack_index,
    params:
        stores={thing: paths.feature_stores(thing) for thing in ALIGNED},
        packs=paths.packs,
        config=cfg.align.model_dump(),
        code=code("align_pack", "waver.align.timeline"),
    log:
        paths.log("align_pack", "shard"),
    benchmark:
        paths.benchmark("align_pack", "shard")
    resources:
        mem_mb=2000,
    conda:
        ENVIRONMENT
    message:
        "Aligning shard {wildcards.shard}"
    script:
        "../workflow/scripts/align_pack.py"
