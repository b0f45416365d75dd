"""evaluate: predictions of any method -> scores with controls and intervals. Knows no method."""

from waver.evaluation.names import CONTROLS, CROSS_VALIDATED, LEVELS, STANDARD

CONTROL_PROTOCOLS = [STANDARD] + [CROSS_VALIDATED] * (cfg.train.folds > 1)
CONTROL_FILES = [
    (name, level, protocol)
    for name in CONTROLS
    for level in LEVELS
    for protocol in CONTROL_PROTOCOLS
]
"""What the controls predict, a file each."""


rule evaluate_controls:
    input:
        packs=every_shard(paths.pack_index),
        answers=every_shard(paths.shard_table("answers")),
    output:
        [
            paths.control_predictions.format(control=".".join(names))
            for names in CONTROL_FILES
        ],
    log:
        paths.log("evaluate_controls"),
    benchmark:
        paths.benchmark("evaluate_controls")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=4000,
    params:
        folding=FOLDING,
        controls=CONTROL_FILES,
        code=code("evaluate_controls", "waver.evaluation.controls"),
        record={
            "model_set": cfg.models.set,
            "code": code("evaluate_controls", "waver.evaluation.controls"),
            "config": FOLDING,
        },
    message:
        "Predicting without looking at anybody: the controls"
    script:
        "../workflow/scripts/evaluate_controls.py"


rule evaluate_scores:
    input:
        predictions=train_outputs("predictions.parquet")
        + answers_outputs("predictions.parquet")
        + video_heads()
        + videos_outputs("predictions.parquet")
        + cross_validated()
        + adapt_outputs()
        + rules.evaluate_controls.output,
        packs=every_shard(paths.pack_index),
        participants=dataset_table("participants"),
        answers=every_shard(paths.shard_table("answers")),
    output:
        scores=paths.scores,
        json=paths.scores_json,
        comparisons=paths.comparisons,
        calibration=paths.calibration,
        decomposition=paths.decomposition,
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
        models=[one.record for model in MODELS for one in (model, model.head)],
        code=code("evaluate_scores", "waver.evaluation.scores"),
    message:
        "Scoring all methods and controls"
    script:
        "../workflow/scripts/evaluate_scores.py"
