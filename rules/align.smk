"""align: faces, sound, words, cues and labels on the 24 fps clock; one pack a shard."""

ALIGNED = [thing for thing in THINGS if thing != "speech"]


rule align_pack:
    input:
        **{thing: of_shard(paths.feature_index(thing)) for thing in ALIGNED},
        videos=of_shard(paths.shard_table("videos")),
        segments=of_shard(paths.shard_table("segments")),
    output:
        index=paths.pack_index,
    log:
        paths.log("align_pack", "shard"),
    benchmark:
        paths.benchmark("align_pack", "shard")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
    params:
        things=ALIGNED,
        config=cfg.align.model_dump(),
        code=code("align_pack", "waver.align.timeline"),
    message:
        "Aligning shard {wildcards.shard}"
    script:
        "../workflow/scripts/align_pack.py"
