"""train: supervised models. Of frames: one job per fusion, modalities and seed, and one for its
cross-validation. Of answers (video level): one job per model, inputs and seed for both.
"""

ANSWER_TEXTS = [
    SOURCE / name for name in ("models/text/cues.yaml", "data/questions.yaml")
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
        config=train_slice,
        code=train_code,
        record=train_record,
    message:
        "Training {wildcards.fusion} on {wildcards.modalities}, seed {wildcards.seed}"
    script:
        "../workflow/scripts/train_fusion.py"


rule train_folds:
    input:
        packs=every_shard(paths.pack_index),
        participants=dataset_table("participants"),
    output:
        predictions=paths.train("folds.parquet"),
        history=paths.train("folds.jsonl"),
    log:
        paths.log("train_folds", "fusion", "modalities", "seed"),
    benchmark:
        paths.benchmark("train_folds", "fusion", "modalities", "seed")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=4000,
    params:
        config=lambda wildcards: train_slice(wildcards) | FOLDING,
        code=folds_code,
        record=train_record,
    message:
        "Cross-validating {wildcards.fusion} on {wildcards.modalities}, seed {wildcards.seed}"
    script:
        "../workflow/scripts/train_folds.py"


rule train_answers:
    input:
        answers=every_shard(paths.shard_table("answers")),
        encodings=every_shard(paths.feature_index("answers")),
        model=model_record("text_encoder"),
    output:
        predictions=paths.train_answers("predictions.parquet"),
        folds=paths.train_answers("folds.parquet"),
        weights=paths.train_answers("weights.parquet"),
    log:
        paths.log("train_answers", "answers", "inputs", "seed"),
    benchmark:
        paths.benchmark("train_answers", "answers", "inputs", "seed")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=3000,
    params:
        config=answers_slice,
        texts=[file_sha256(path) for path in ANSWER_TEXTS],
        code=answers_code,
        record=lambda wildcards: {
            "model_set": cfg.models.set,
            "code": answers_code(wildcards),
            "config": answers_slice(wildcards),
        },
    message:
        "Training {wildcards.answers} on {wildcards.inputs} of the answers, seed {wildcards.seed}"
    script:
        "../workflow/scripts/train_answers.py"
