"""train: supervised frame-level models, one job per fusion, modalities and seed."""


rule train_fusion:
    input:
        packs=every_shard(paths.pack_index),
    output:
        model=paths.train("model.pt"),
        history=paths.train("history.jsonl"),
        predictions=paths.train("predictions.parquet"),
    log:
        paths.log("train_fusion", "fusion", "modalities", "seed"),
    benchmark:
        paths.benchmark("train_fusion", "fusion", "modalities", "seed")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=4000,
    params:
        config=train_slice,
        code=train_code,
        record=lambda wildcards: {
            "model_set": cfg.models.set,
            "code": train_code(wildcards),
            "config": train_slice(wildcards),
        },
    message:
        "Training {wildcards.fusion} on {wildcards.modalities}, seed {wildcards.seed}"
    script:
        "../workflow/scripts/train_fusion.py"
