"""zeroshot: models that are asked whether a video, or each window of it, shows A/H.

A job asks all prompts about one shard, with its model loaded once and what the prompts share read once. A model may be
fine-tuned before, on the participants of train.
"""

if cfg.zeroshot.finetune.models:

    rule zeroshot_finetune:
        input:
            answers=every_shard(paths.shard_table("answers")),
            videos=after_ingest(flow.zeroshot.finetune.every("videos")),
            speech=after_ingest(flow.zeroshot.finetune.every("speech")),
            faces=after_ingest(flow.zeroshot.finetune.every("faces")),
            model=flow.zeroshot.model,
        output:
            config=paths.zeroshot_adapter("adapter_config.json"),
            weights=paths.zeroshot_adapter("adapter_model.safetensors"),
            history=paths.zeroshot_adapter("history.jsonl"),
        log:
            paths.log("zeroshot_finetune", "prompted_model"),
        benchmark:
            paths.benchmark("zeroshot_finetune", "prompted_model")
        conda:
            ENVIRONMENT
        resources:
            mem_mb=8000,
        params:
            base=flow.zeroshot.base,
            seed=flow.zeroshot.finetune.seed,
            root=flow.ingest.root,
            question=flow.zeroshot.finetune.question,
            config=flow.zeroshot.finetune.recipe,
            hesitations=flow.zeroshot.hesitations,
            code=flow.zeroshot.finetune.code,
        message:
            "Fine-tuning {wildcards.prompted_model}"
        script:
            "../workflow/scripts/zeroshot_finetune.py"


if cfg.zeroshot.models or cfg.zeroshot.finetune.models:

    rule zeroshot_ask:
        input:
            answers=of_shard(paths.shard_table("answers")),
            videos=after_ingest(flow.zeroshot.videos),
            speech=after_ingest(flow.zeroshot.speech),
            faces=after_ingest(flow.zeroshot.faces),
            cues=after_ingest(flow.zeroshot.described_cues),
            model=flow.zeroshot.model,
            adapter=flow.zeroshot.adapter,
        output:
            answers=paths.zeroshot_answers,
        log:
            paths.log("zeroshot_ask", "prompted_model", "granularity", "shard"),
        benchmark:
            paths.benchmark("zeroshot_ask", "prompted_model", "granularity", "shard")
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
            "Asking {wildcards.prompted_model} about shard {wildcards.shard} ({wildcards.granularity})"
        script:
            "../workflow/scripts/zeroshot_ask.py"

    rule zeroshot_predict:
        input:
            tables=after_ingest(flow.zeroshot.answer_tables),
            packs=after_ingest(flow.zeroshot.packs),
            answers=after_ingest(flow.zeroshot.listed),
        output:
            **flow.zeroshot.files(),
        log:
            paths.log("zeroshot_predict", "prompted_model", "granularity", "prompt"),
        benchmark:
            paths.benchmark(
                "zeroshot_predict", "prompted_model", "granularity", "prompt"
            )
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
            "Predictions of {wildcards.prompted_model}, prompt {wildcards.prompt} ({wildcards.granularity})"
        script:
            "../workflow/scripts/zeroshot_predict.py"

    rule zeroshot_spread:
        input:
            predictions=paths.zeroshot("{answered}"),
            packs=every_shard(paths.pack_index),
        output:
            predictions=paths.zeroshot("{answered}.frames"),
        log:
            paths.log(
                "zeroshot_spread",
                "prompted_model",
                "granularity",
                "prompt",
                "answered",
            ),
        benchmark:
            paths.benchmark(
                "zeroshot_spread",
                "prompted_model",
                "granularity",
                "prompt",
                "answered",
            )
        wildcard_constraints:
            granularity="video",
            answered=r"(none|contextual)(\.folds)?",
        conda:
            ENVIRONMENT
        resources:
            mem_mb=2000,
        params:
            code=code_of("zeroshot_spread"),
        message:
            "Answers about whole videos as those of their frames: {wildcards.prompted_model}, {wildcards.prompt}"
        script:
            "../workflow/scripts/zeroshot_spread.py"

    rule zeroshot_conditions:
        input:
            predictions=flow.zeroshot.predictions(),
            packs=every_shard(paths.pack_index),
            answers=every_shard(paths.shard_table("answers")),
        output:
            conditions=paths.zeroshot_conditions,
        log:
            paths.log("zeroshot_conditions"),
        benchmark:
            paths.benchmark("zeroshot_conditions")
        conda:
            ENVIRONMENT
        resources:
            mem_mb=4000,
        params:
            config=cfg.evaluate.model_dump(),
            code=code_of("zeroshot_conditions"),
        message:
            "What the answers of models that were asked are worth"
        script:
            "../workflow/scripts/zeroshot_conditions.py"


if flow.zeroshot.cue_features():

    rule zeroshot_cues:
        input:
            **{
                name: every_shard(path)
                for name, path in flow.zeroshot.cue_features().items()
            },
            videos=every_shard(paths.shard_table("videos")),
            segments=dataset_table("segments"),
        output:
            cues=paths.zeroshot_cues,
        log:
            paths.log("zeroshot_cues"),
        benchmark:
            paths.benchmark("zeroshot_cues")
        conda:
            ENVIRONMENT
        resources:
            mem_mb=2000,
        params:
            features=list(flow.zeroshot.cue_features()),
            config=cfg.evaluate.model_dump(),
            code=code_of("zeroshot_cues"),
        message:
            "Comparing the cues that are told with annotated ones"
        script:
            "../workflow/scripts/zeroshot_cues.py"
