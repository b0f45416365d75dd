"""features: videos -> faces, visual, audio, speech, words, cues; one Zarr store per video and thing.

A job works on one shard with its model loaded once. Its output is the shard's index; the stores are
not declared, so that a failure deletes nothing that was whole (see docs/stores.md).
"""


rule features_faces:
    input:
        videos=of_shard(paths.shard_table("videos")),
        model=model_record("face_detector"),
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
        root=ROOT,
        config=cfg.features.faces.model_dump(),
        code=code("features_faces", "waver.features.faces"),
    message:
        "Faces of shard {wildcards.shard}"
    script:
        "../workflow/scripts/features_faces.py"


rule features_visual:
    input:
        faces=of_shard(paths.feature_index("faces")),
        model=visual_record(),
    output:
        index=paths.feature_index("visual"),
    log:
        paths.log("features_visual", "shard"),
    benchmark:
        paths.benchmark("features_visual", "shard")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=3000,
    params:
        config=cfg.features.visual.model_dump(),
        code=visual_code("features_visual", "waver.features.visual"),
    message:
        "Visual features of shard {wildcards.shard}"
    script:
        "../workflow/scripts/features_visual.py"


rule features_audio:
    input:
        videos=of_shard(paths.shard_table("videos")),
        model=[model_record(role) for role in audio_roles()],
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
        root=ROOT,
        config=cfg.features.audio.deciding,
        code=code("features_audio", "waver.features.audio", *loaders(audio_roles())),
    message:
        "Audio features of shard {wildcards.shard}"
    script:
        "../workflow/scripts/features_audio.py"


rule features_speech:
    input:
        videos=of_shard(paths.shard_table("videos")),
        transcripts=of_shard(paths.shard_table("transcripts")),
        model=(
            [model_record("speech_recogniser")]
            if cfg.features.speech.source == "recognise"
            else []
        ),
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
        root=ROOT,
        config=cfg.features.speech.model_dump(),
        code=code("features_speech", "waver.features.speech"),
    message:
        "Speech of shard {wildcards.shard}"
    script:
        "../workflow/scripts/features_speech.py"


rule features_words:
    input:
        speech=of_shard(paths.feature_index("speech")),
        videos=of_shard(paths.shard_table("videos")),
        model=model_record("text_encoder"),
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
        code=code("features_words", "waver.features.words"),
    message:
        "Word vectors of shard {wildcards.shard}"
    script:
        "../workflow/scripts/features_words.py"


rule features_cues:
    input:
        speech=of_shard(paths.feature_index("speech")),
        audio=of_shard(paths.feature_index("audio")) if RECORDED else [],
        videos=of_shard(paths.shard_table("videos")),
        sentiment=[model_record(role) for role in cue_roles()],
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
        lists=file_sha256(SOURCE / "models/text/cues.yaml"),
        code=code("features_cues", "waver.features.cues", *loaders(cue_roles())),
    message:
        "Cues of voice, pauses and words of shard {wildcards.shard}"
    script:
        "../workflow/scripts/features_cues.py"


rule features_answers:
    input:
        answers=of_shard(paths.shard_table("answers")),
        model=model_record("text_encoder"),
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
        code=code("features_answers", "waver.features.answers"),
    message:
        "Encoding the answers of shard {wildcards.shard}"
    script:
        "../workflow/scripts/features_answers.py"
