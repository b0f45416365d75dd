"""adapt: personalisation to each participant of the test split."""


rule adapt_source:
    input:
        packs=every_shard(paths.pack_index),
    output:
        model=paths.adapt_source("model.pt"),
    log:
        paths.log("adapt_source", "seed"),
    benchmark:
        paths.benchmark("adapt_source", "seed")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=4000,
    params:
        config=adapt_slice(),
        code=code("adapt_source", "waver.adaptation.source"),
    message:
        "Training the source model, seed {wildcards.seed}"
    script:
        "../workflow/scripts/adapt_source.py"


rule adapt_target:
    input:
        targets=of_shard(paths.pack_index),
        packs=every_shard(paths.pack_index),
        source=paths.adapt_source("model.pt"),
    output:
        predictions=paths.adapt_predictions,
    log:
        paths.log("adapt_target", "method", "protocol", "seed", "shard"),
    benchmark:
        paths.benchmark("adapt_target", "method", "protocol", "seed", "shard")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
    params:
        config=lambda wildcards: adapt_slice(wildcards.method),
        guard=adapt_guard,
        code=adapt_code,
        record=lambda wildcards: {
            "model_set": cfg.models.set,
            "code": adapt_code(wildcards),
            "config": adapt_slice(wildcards.method),
        },
    message:
        "Adapting by {wildcards.method} ({wildcards.protocol}) in shard {wildcards.shard}"
    script:
        "../workflow/scripts/adapt_target.py"
