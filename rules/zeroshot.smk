"""zeroshot: models that are asked whether a video, or each window of it, shows A/H.

A job asks all prompts about one shard, with its model loaded once and what the prompts share read once.
"""

if cfg.zeroshot.models:

    rule zeroshot_ask:
        input:
            answers=of_shard(paths.shard_table("answers")),
            videos=after_ingest(flow.zeroshot.videos),
            speech=after_ingest(flow.zeroshot.speech),
            faces=after_ingest(flow.zeroshot.faces),
            model=flow.zeroshot.model,
        output:
            asked=paths.zeroshot_asked,
        log:
            paths.log("zeroshot_ask", "asked_model", "granularity", "shard"),
        benchmark:
            paths.benchmark("zeroshot_ask", "asked_model", "granularity", "shard")
        conda:
            ENVIRONMENT
        resources:
            mem_mb=8000,
        params:
            root=flow.ingest.root,
            questions=flow.zeroshot.questions,
            config=flow.zeroshot.recipe,
            hesitations=flow.zeroshot.hesitations,
            code=flow.zeroshot.ask_code,
        message:
            "Asking {wildcards.asked_model} about shard {wildcards.shard} ({wildcards.granularity})"
        script:
            "../workflow/scripts/zeroshot_ask.py"

    rule zeroshot_predict:
        input:
            asked=after_ingest(flow.zeroshot.asked),
            packs=after_ingest(flow.zeroshot.packs),
        output:
            **flow.zeroshot.files(),
        log:
            paths.log("zeroshot_predict", "asked_model", "granularity", "prompt"),
        benchmark:
            paths.benchmark("zeroshot_predict", "asked_model", "granularity", "prompt")
        conda:
            ENVIRONMENT
        resources:
            mem_mb=2000,
        params:
            folding=flow.zeroshot.folding,
            policy=flow.zeroshot.policy,
            known=flow.zeroshot.known,
            record=flow.zeroshot.record,
        message:
            "Predictions of {wildcards.asked_model}, prompt {wildcards.prompt} ({wildcards.granularity})"
        script:
            "../workflow/scripts/zeroshot_predict.py"
