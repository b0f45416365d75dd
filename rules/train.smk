"""train: supervised frame-level models, one job per fusion, modalities and seed."""


def train_slice(wildcards):
    """The part of the training config that decides one model: without the list of the others."""
    own = cfg.train.options.get(wildcards.fusion, {})
    return cfg.train.model_dump(exclude={"runs", "seeds", "options"}) | {
        "options": {wildcards.fusion: own}
    }


def train_code(wildcards):
    """Fingerprint of the loop and of this fusion; other fusions do not count."""
    return code("train_fusion", "waver.training.fit", FUSIONS[wildcards.fusion])


def train_outputs(name):
    """A file of every training run of the config."""
    return [
        paths.train(name).format(
            fusion=run.fusion, modalities=run.modalities, seed=seed
        )
        for run in cfg.train.runs
        for seed in cfg.train.seeds
    ]


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
        packs=paths.packs,
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
