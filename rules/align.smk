"""align: faces, sound, words, cues and labels on the 24 fps clock; one pack per shard, and one more with the features of
each other visual backbone.
"""


rule align_pack:
    input:
        **{
            name: after_ingest(flow.features.to_pack(name))
            for name in flow.features.aligned
        },
        videos=of_shard(paths.shard_table("videos")),
        segments=of_shard(paths.shard_table("segments")),
    output:
        index=paths.any_pack_index,
    log:
        paths.log("align_pack{packed}", "shard"),
    benchmark:
        paths.benchmark("align_pack{packed}", "shard")
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
