"""train: supervised models. The visual backbone: one job a stage, and one in which it predicts frames itself. Of
frames: one job per fusion, modalities and seed, and one for its cross-validation. Of answers (video level): one job per
model, inputs and seed for both.
"""


rule train_emotions:
    input:
        initial=lambda wildcards: flow.backbones.named(wildcards.backbone).given(),
        detector=flow.backbone.detector(),
    output:
        record=paths.trained_emotions("{backbone}", "asset.json"),
        history=paths.trained_emotions("{backbone}", "history.jsonl"),
        pictures=paths.trained_emotions("{backbone}", "pictures.parquet"),
        set_aside=paths.trained_emotions("{backbone}", "set_aside.parquet"),
    log:
        paths.log("train_emotions", "backbone"),
    benchmark:
        paths.benchmark("train_emotions", "backbone")
    conda:
        ENVIRONMENT
    threads: 4
    resources:
        mem_mb=8000,
    params:
        config=cfg.backbone.emotions.model_dump(),
        pictures=flow.backbone.pictures(),
        faces=flow.backbone.detection(),
        start=lambda wildcards: flow.backbones.named(wildcards.backbone).start(
            "train_emotions"
        ),
    message:
        "Training {wildcards.backbone} on basic emotions"
    script:
        "../workflow/scripts/train_emotions.py"


rule train_backbone:
    input:
        faces=every_shard(paths.feature_index("faces")),
        videos=every_shard(paths.shard_table("videos")),
        segments=every_shard(paths.shard_table("segments")),
        initial=lambda wildcards: flow.backbones.named(
            wildcards.backbone
        ).before_frames(),
    output:
        record=paths.trained_frames("{backbone}", "asset.json"),
        history=paths.trained_frames("{backbone}", "history.jsonl"),
    log:
        paths.log("train_backbone", "backbone"),
    benchmark:
        paths.benchmark("train_backbone", "backbone")
    conda:
        ENVIRONMENT
    threads: 4
    resources:
        mem_mb=8000,
    params:
        config=cfg.backbone.ah.model_dump(),
        tolerance=cfg.align.tolerance_frames,
        start=lambda wildcards: flow.backbones.named(wildcards.backbone).start(
            "train_backbone"
        ),
    message:
        "Training {wildcards.backbone} on frames with and without A/H"
    script:
        "../workflow/scripts/train_backbone.py"


rule train_backbone_frames:
    input:
        packs=after_ingest(flow.backbones.packs),
        model=paths.trained_frames("{backbone}", "asset.json"),
    output:
        paths.backbone_predictions("{backbone}"),
    log:
        paths.log("train_backbone_frames", "backbone"),
    benchmark:
        paths.benchmark("train_backbone_frames", "backbone")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=4000,
    params:
        code=code_of("train_backbone_frames"),
        record=flow.backbones.frames_record,
    message:
        "Frames by {wildcards.backbone} itself"
    script:
        "../workflow/scripts/train_backbone_frames.py"


rule train_fusion:
    input:
        packs=after_ingest(flow.frames.packs),
        segments=after_ingest(flow.frames.segments),
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
        fusion=flow.frames.fusion,
        config=flow.frames.recipe,
        streams=flow.frames.streams,
        code=flow.frames.code,
        record=flow.frames.record,
    message:
        "Training {wildcards.fusion} on {wildcards.modalities}, seed {wildcards.seed}"
    script:
        "../workflow/scripts/train_fusion.py"


rule train_folds:
    input:
        packs=after_ingest(flow.frames.packs),
        segments=after_ingest(flow.frames.segments),
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
        fusion=flow.frames.fusion,
        config=flow.frames.folds_recipe,
        streams=flow.frames.streams,
        code=flow.frames.folds_code,
        record=flow.frames.record,
    message:
        "Cross-validating {wildcards.fusion} on {wildcards.modalities}, seed {wildcards.seed}"
    script:
        "../workflow/scripts/train_folds.py"


rule train_video_head:
    input:
        packs=after_ingest(flow.frames.packs),
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
        code=flow.frames.head_code,
        record=flow.frames.head_record,
    message:
        "Whole videos by {wildcards.fusion} on {wildcards.modalities}, seed {wildcards.seed}"
    script:
        "../workflow/scripts/train_video_head.py"


rule train_explanations:
    input:
        packs=after_ingest(flow.frames.packs),
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
        code=flow.frames.explanations_code,
        record=flow.frames.explanations_record,
    message:
        "Explaining {wildcards.fusion} on {wildcards.modalities}, seed {wildcards.seed}"
    script:
        "../workflow/scripts/train_explanations.py"


rule train_answers:
    input:
        answers=every_shard(paths.shard_table("answers")),
        encodings=every_shard(paths.feature_index("answers")),
        model=flow.answers.sentence_encoder,
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
        config=flow.answers.recipe,
        code=flow.answers.code,
        record=flow.answers.record,
    message:
        "Training {wildcards.answers} on {wildcards.inputs} of the answers, seed {wildcards.seed}"
    script:
        "../workflow/scripts/train_answers.py"


rule train_videos:
    input:
        answers=every_shard(paths.shard_table("answers")),
        indexes=after_ingest(flow.videos.indexes),
        weights=flow.videos.weights,
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
        config=flow.videos.recipe,
        streams=flow.videos.streams,
        roles=flow.videos.roles,
        code=flow.videos.code,
        record=flow.videos.record,
    message:
        "Training {wildcards.video_model} on whole videos, {wildcards.modalities}, seed {wildcards.seed}"
    script:
        "../workflow/scripts/train_videos.py"


rule train_cost:
    input:
        models=after_ingest(flow.costs.files("model.pt")),
        histories=after_ingest(flow.costs.files("history.jsonl")),
        weights=flow.costs.weights,
    output:
        paths.train_cost,
    log:
        paths.log("train_cost", "trained"),
    benchmark:
        paths.benchmark("train_cost", "trained")
    wildcard_constraints:
        trained=rf"(videos/)?[a-z0-9_.]+/{MODALITY_SETS.strip('^$')}",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=3000,
    params:
        unit=flow.costs.unit,
        record=flow.costs.record,
        roles=flow.costs.roles,
        code=flow.costs.code,
    message:
        "Measuring what {wildcards.trained} costs"
    script:
        "../workflow/scripts/train_cost.py"
