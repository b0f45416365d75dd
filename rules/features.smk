"""features: videos -> faces, visual, audio, speech, words, cues, and modalities that are derived from these; one Zarr
store per video and feature.

A job works on one shard with its model loaded once. Its output is the shard's index; the stores are
not declared, so that a failure deletes nothing that was whole (see docs/stores.md).
"""


rule features_faces:
    input:
        videos=of_shard(paths.shard_table("videos")),
        model=flow.run.model_record("face_detector"),
        embedding=flow.features.face_embedding(),
    output:
        index=paths.feature_index("faces"),
    log:
        paths.log("features_faces", "shard"),
    benchmark:
        paths.benchmark("features_faces", "shard")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=3000,
    params:
        root=flow.ingest.root,
        config=cfg.features.faces.deciding,
        code=code_of("features_faces"),
    message:
        "Faces of shard {wildcards.shard}"
    script:
        "../workflow/scripts/features_faces.py"


rule features_visual:
    input:
        faces=of_shard(paths.feature_index("faces")),
        model=lambda wildcards: flow.backbones.named(wildcards.suffix[1:]).record(),
    output:
        index=paths.feature_index("visual{suffix}"),
    log:
        paths.log("features_visual{suffix}", "shard"),
    benchmark:
        paths.benchmark("features_visual{suffix}", "shard")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=3000,
    params:
        config=lambda wildcards: flow.backbones.named(wildcards.suffix[1:]).visual,
        code=lambda wildcards: flow.backbones.named(wildcards.suffix[1:]).code(
            "features_visual"
        ),
    message:
        "Visual features of shard {wildcards.shard}"
    script:
        "../workflow/scripts/features_visual.py"


rule features_audio:
    input:
        videos=of_shard(paths.shard_table("videos")),
        model=flow.features.audio_models(),
    output:
        index=paths.feature_index("audio"),
    log:
        paths.log("features_audio", "shard"),
    benchmark:
        paths.benchmark("features_audio", "shard")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
    params:
        root=flow.ingest.root,
        config=cfg.features.audio.deciding,
        language=cfg.features.speech.language,
        code=flow.features.audio_code,
    message:
        "Audio features of shard {wildcards.shard}"
    script:
        "../workflow/scripts/features_audio.py"


rule features_speech:
    input:
        videos=of_shard(paths.shard_table("videos")),
        transcripts=of_shard(paths.shard_table("transcripts")),
        model=flow.features.recogniser(),
        aligners=flow.features.aligners(),
    output:
        index=paths.feature_index("speech"),
    log:
        paths.log("features_speech", "shard"),
    benchmark:
        paths.benchmark("features_speech", "shard")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=3000,
    params:
        root=flow.ingest.root,
        config=cfg.features.speech.model_dump(),
        code=flow.features.speech_code,
    message:
        "Speech of shard {wildcards.shard}"
    script:
        "../workflow/scripts/features_speech.py"


rule features_words:
    input:
        speech=of_shard(paths.feature_index("speech")),
        videos=of_shard(paths.shard_table("videos")),
        model=flow.run.model_record("word_encoder"),
    output:
        index=paths.feature_index("words"),
    log:
        paths.log("features_words", "shard"),
    benchmark:
        paths.benchmark("features_words", "shard")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=3000,
    params:
        config=cfg.features.words.model_dump(),
        code=code_of("features_words"),
    message:
        "Word vectors of shard {wildcards.shard}"
    script:
        "../workflow/scripts/features_words.py"


rule features_cues:
    input:
        speech=of_shard(paths.feature_index("speech")),
        audio=of_shard(paths.feature_index("audio")) if flow.run.recorded else [],
        videos=of_shard(paths.shard_table("videos")),
        sentiment=flow.features.cue_models(),
    output:
        index=paths.feature_index("cues"),
    log:
        paths.log("features_cues", "shard"),
    benchmark:
        paths.benchmark("features_cues", "shard")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
    params:
        code=flow.features.cue_code,
    message:
        "Cues of voice, pauses and words of shard {wildcards.shard}"
    script:
        "../workflow/scripts/features_cues.py"


if flow.features.derived:

    rule features_derived:
        input:
            sources=after_ingest(flow.features.source_indexes),
        output:
            index=paths.feature_index("{derived}"),
        log:
            paths.log("features_derived", "derived", "shard"),
        benchmark:
            paths.benchmark("features_derived", "derived", "shard")
        wildcard_constraints:
            derived="|".join(flow.features.derived),
        conda:
            ENVIRONMENT
        resources:
            mem_mb=2000,
        params:
            sources=flow.features.sources,
            function=flow.features.function,
            code=flow.features.derived_code,
        message:
            "Features {wildcards.derived} of shard {wildcards.shard}"
        script:
            "../workflow/scripts/features_derived.py"


rule features_answers:
    input:
        answers=of_shard(paths.shard_table("answers")),
        model=flow.run.model_record("word_encoder"),
        sentences=flow.answers.sentence_encoder,
    output:
        index=paths.feature_index("answers"),
    log:
        paths.log("features_answers", "shard"),
    benchmark:
        paths.benchmark("features_answers", "shard")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=3000,
    params:
        config=cfg.features.words.model_dump(),
        code=code_of("features_answers"),
    message:
        "Encoding the answers of shard {wildcards.shard}"
    script:
        "../workflow/scripts/features_answers.py"


if flow.adapt.vision_language:

    rule features_embeddings:
        input:
            faces=of_shard(paths.feature_index("faces")),
            model=flow.adapt.encoder(),
        output:
            index=paths.feature_index("embeddings"),
        log:
            paths.log("features_embeddings", "shard"),
        benchmark:
            paths.benchmark("features_embeddings", "shard")
        conda:
            ENVIRONMENT
        resources:
            mem_mb=4000,
        params:
            batch=cfg.adapt.vision_language.batch,
            code=code_of("features_embeddings"),
        message:
            "CLIP features of shard {wildcards.shard}"
        script:
            "../workflow/scripts/features_embeddings.py"

    rule features_views:
        input:
            faces=of_shard(paths.feature_index("faces")),
            videos=of_shard(paths.shard_table("videos")),
            model=flow.adapt.encoder(),
        output:
            index=paths.feature_index("views"),
        log:
            paths.log("features_views", "shard"),
        benchmark:
            paths.benchmark("features_views", "shard")
        conda:
            ENVIRONMENT
        resources:
            mem_mb=4000,
        params:
            split=cfg.adapt.targets,
            config=flow.adapt.views(),
            code=code_of("features_views"),
        message:
            "Views of shard {wildcards.shard} by CLIP"
        script:
            "../workflow/scripts/features_views.py"
