"""align: faces, sound, words, cues and labels on the 24 fps clock; one pack per shard."""


rule align_pack:
    input:
        **{name: of_shard(paths.feature_index(name)) for name in flow.features.aligned},
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
        features=flow.features.aligned,
        streams=flow.features.streams,
        config=cfg.align.model_dump(),
        code=code_of("align_pack"),
    message:
        "Aligning shard {wildcards.shard}"
    script:
        "../workflow/scripts/align_pack.py"
