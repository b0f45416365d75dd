"""train: supervised models. Of frames: one job per fusion, modalities and seed, and one for its
cross-validation. Of answers (video level): one job per model, inputs and seed for both.
"""

ANSWER_TEXTS = [
    SOURCE / name for name in ("models/text/cues.yaml", "data/questions.yaml")
]


rule train_emotions:
    input:
        initial=given_backbone(),
    output:
        record=trained_backbone("emotions"),
        history=trained_backbone("emotions", "history.jsonl"),
        pictures=trained_backbone("emotions", "pictures.parquet"),
        set_aside=trained_backbone("emotions", "set_aside.parquet"),
    log:
        paths.log("train_emotions"),
    benchmark:
        paths.benchmark("train_emotions")
    conda:
        ENVIRONMENT
    threads: 4
    resources:
        mem_mb=8000,
    params:
        config=cfg.backbone.emotions.model_dump(),
        pictures=pictures_stamp(),
        start=backbone_start("train_emotions", "backbone_emotions"),
    message:
        "Training the visual backbone on basic emotions"
    script:
        "../workflow/scripts/train_emotions.py"


rule train_backbone:
    input:
        faces=every_shard(paths.feature_index("faces")),
        videos=every_shard(paths.shard_table("videos")),
        segments=every_shard(paths.shard_table("segments")),
        initial=(
            [trained_backbone("emotions")]
            if "emotions" in cfg.backbone.stages
            else given_backbone()
        ),
    output:
        record=trained_backbone("ah"),
        history=trained_backbone("ah", "history.jsonl"),
    log:
        paths.log("train_backbone"),
    benchmark:
        paths.benchmark("train_backbone")
    conda:
        ENVIRONMENT
    threads: 4
    resources:
        mem_mb=8000,
    params:
        config=cfg.backbone.ah.model_dump(),
        tolerance=cfg.align.tolerance_frames,
        start=backbone_start("train_backbone", "backbone_frames"),
    message:
        "Training the visual backbone on frames with and without A/H"
    script:
        "../workflow/scripts/train_backbone.py"


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
        fusion=fusion_of,
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
        fusion=fusion_of,
        config=lambda wildcards: train_slice(wildcards) | FOLDING,
        code=folds_code,
        record=train_record,
    message:
        "Cross-validating {wildcards.fusion} on {wildcards.modalities}, seed {wildcards.seed}"
    script:
        "../workflow/scripts/train_folds.py"


rule train_video_head:
    input:
        packs=every_shard(paths.pack_index),
        model=paths.train("model.pt"),
    output:
        paths.train("videos.parquet"),
    log:
        paths.log("train_video_head", "fusion", "modalities", "seed"),
    benchmark:
        paths.benchmark("train_video_head", "fusion", "modalities", "seed")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=4000,
    params:
        code=lambda wildcards: fusion_code(wildcards, "train_video_head", "video_heads"),
        record=head_record,
    message:
        "Whole videos by {wildcards.fusion} on {wildcards.modalities}, seed {wildcards.seed}"
    script:
        "../workflow/scripts/train_video_head.py"


rule train_explanations:
    input:
        packs=every_shard(paths.pack_index),
        model=paths.train("model.pt"),
    output:
        paths.train("explanations.parquet"),
    log:
        paths.log("train_explanations", "fusion", "modalities", "seed"),
    benchmark:
        paths.benchmark("train_explanations", "fusion", "modalities", "seed")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=4000,
    params:
        code=lambda wildcards: fusion_code(
            wildcards, "train_explanations", "explanations"
        ),
        record=lambda wildcards: {
            "model_set": cfg.models.set,
            "seed": int(wildcards.seed),
            **model_of(wildcards).own_record,
        },
    message:
        "Explaining {wildcards.fusion} on {wildcards.modalities}, seed {wildcards.seed}"
    script:
        "../workflow/scripts/train_explanations.py"


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


rule train_videos:
    input:
        answers=every_shard(paths.shard_table("answers")),
        indexes=videos_indexes,
        weights=videos_weights,
    output:
        model=paths.train_videos("model.pt"),
        history=paths.train_videos("history.jsonl"),
        predictions=paths.train_videos("predictions.parquet"),
        folds=paths.train_videos("folds.parquet"),
        folds_history=paths.train_videos("folds.jsonl"),
    log:
        paths.log("train_videos", "video_model", "modalities", "seed"),
    benchmark:
        paths.benchmark("train_videos", "video_model", "modalities", "seed")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=4000,
    params:
        config=videos_slice,
        roles=lambda wildcards: video_roles(wildcards.video_model),
        texts=video_texts,
        code=videos_code,
        record=videos_record,
    message:
        "Training {wildcards.video_model} on whole videos, {wildcards.modalities}, seed {wildcards.seed}"
    script:
        "../workflow/scripts/train_videos.py"


rule train_cost:
    input:
        models=of_trained("model.pt"),
        histories=of_trained("history.jsonl"),
        weights=cost_weights,
    output:
        paths.train_cost,
    log:
        paths.log("train_cost", "trained"),
    benchmark:
        paths.benchmark("train_cost", "trained")
    wildcard_constraints:
        trained=r"(videos/)?[a-z0-9_.]+/[VATCQ]+",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=3000,
    params:
        unit=lambda wildcards: trained_of(wildcards).unit,
        record=lambda wildcards: trained_of(wildcards).record,
        roles=lambda wildcards: trained_of(wildcards).roles,
        code=cost_code,
    message:
        "Measuring what {wildcards.trained} costs"
    script:
        "../workflow/scripts/train_cost.py"
