"""evaluate: predictions of any method -> scores with controls and intervals. Knows no method."""

CONTROLS = ["all_negative", "all_positive", "content_free"]


rule evaluate_controls:
    input:
        packs=every_shard(paths.pack_index),
    output:
        expand(
            paths.control_predictions,
            control=[
                f"{name}.{level}" for name in CONTROLS for level in ("frame", "video")
            ],
        ),
    log:
        paths.log("evaluate_controls"),
    benchmark:
        paths.benchmark("evaluate_controls")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=4000,
    params:
        code=code("evaluate_controls", "waver.evaluation.controls"),
        record={
            "model_set": cfg.models.set,
            "code": code("evaluate_controls", "waver.evaluation.controls"),
            "config": {},
        },
    message:
        "Predicting without looking at anybody: the controls"
    script:
        "../workflow/scripts/evaluate_controls.py"


rule evaluate_scores:
    input:
        predictions=train_outputs("predictions.parquet")
        + adapt_outputs()
        + rules.evaluate_controls.output,
        packs=every_shard(paths.pack_index),
        participants=dataset_table("participants"),
        videos=dataset_table("videos"),
    output:
        scores=paths.scores,
        json=paths.scores_json,
    log:
        paths.log("evaluate_scores"),
    benchmark:
        paths.benchmark("evaluate_scores")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=4000,
    params:
        config=cfg.evaluate.model_dump(),
        code=code("evaluate_scores", "waver.evaluation.scores"),
    message:
        "Scoring all methods and controls"
    script:
        "../workflow/scripts/evaluate_scores.py"
