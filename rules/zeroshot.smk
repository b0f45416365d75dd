"""zeroshot: models that are asked whether a video, or each window of it, shows A/H.

A job asks all prompts about one shard, with its model loaded once and what the prompts share read once. A model may be
fine-tuned before, on the participants of train.
"""

if cfg.zeroshot.finetune.models:

    rule zeroshot_finetune:
        input:
            answers=every_shard(paths.shard_table("answers")),
            videos=after_ingest(flow.zeroshot.every("videos")),
            speech=after_ingest(flow.zeroshot.every("speech")),
            faces=after_ingest(flow.zeroshot.every("faces")),
            model=flow.zeroshot.model,
        output:
            config=paths.zeroshot_adapter("adapter_config.json"),
            weights=paths.zeroshot_adapter("adapter_model.safetensors"),
            history=paths.zeroshot_adapter("history.jsonl"),
        log:
            paths.log("zeroshot_finetune", "asked_model"),
        benchmark:
            paths.benchmark("zeroshot_finetune", "asked_model")
        conda:
            ENVIRONMENT
        resources:
            mem_mb=8000,
        params:
            base=flow.zeroshot.base,
            seed=flow.zeroshot.seed,
            root=flow.ingest.root,
            question=flow.zeroshot.learned,
            config=flow.zeroshot.tuning,
            hesitations=flow.zeroshot.hesitations,
            code=flow.zeroshot.tuning_code,
        message:
            "Fine-tuning {wildcards.asked_model}"
        script:
            "../workflow/scripts/zeroshot_finetune.py"


if cfg.zeroshot.models or cfg.zeroshot.finetune.models:

    rule zeroshot_ask:
        input:
            answers=of_shard(paths.shard_table("answers")),
            videos=after_ingest(flow.zeroshot.videos),
            speech=after_ingest(flow.zeroshot.speech),
            faces=after_ingest(flow.zeroshot.faces),
            model=flow.zeroshot.model,
            adapter=flow.zeroshot.adapter,
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
            base=flow.zeroshot.base,
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
