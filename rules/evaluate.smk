"""evaluate: predictions of any method -> scores with controls and intervals. Independent of methods."""


rule evaluate_controls:
    input:
        packs=every_shard(paths.pack_index),
        answers=every_shard(paths.shard_table("answers")),
    output:
        flow.evaluate.predictions(),
    log:
        paths.log("evaluate_controls"),
    benchmark:
        paths.benchmark("evaluate_controls")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=4000,
    params:
        folding=flow.run.folding,
        controls=flow.evaluate.controls,
        code=code_of("evaluate_controls"),
        record=flow.evaluate.controls_record,
    message:
        "Predicting without looking at anybody: the controls"
    script:
        "../workflow/scripts/evaluate_controls.py"


rule evaluate_scores:
    input:
        predictions=flow.predictions(),
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
        models=flow.frames.records_to_score(),
        code=code_of("evaluate_scores"),
    message:
        "Scoring all methods and controls"
    script:
        "../workflow/scripts/evaluate_scores.py"


if flow.frames.explained():

    rule evaluate_explanations:
        input:
            explanations=flow.frames.explained(),
            packs=every_shard(paths.pack_index),
            segments=dataset_table("segments"),
        output:
            cues=paths.explained_cues,
        log:
            paths.log("evaluate_explanations"),
        benchmark:
            paths.benchmark("evaluate_explanations")
        conda:
            ENVIRONMENT
        resources:
            mem_mb=2000,
        params:
            config=cfg.evaluate.model_dump(),
            code=code_of("evaluate_explanations"),
        message:
            "Comparing what models point at with annotated cues"
        script:
            "../workflow/scripts/evaluate_explanations.py"
