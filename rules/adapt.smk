"""adapt: personalisation to each participant of a split."""


rule adapt_source:
    input:
        packs=every_shard(paths.pack_index),
        participants=dataset_table("participants") if flow.adapt.folding else [],
    output:
        model=paths.adapt_source("model.pt"),
    log:
        paths.log("adapt_source", "letters", "seed"),
    benchmark:
        paths.benchmark("adapt_source", "letters", "seed")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=4000,
    params:
        config=flow.adapt.source_recipe,
        streams=flow.adapt.streams,
        folding=flow.adapt.folding,
        code=code_of("adapt_source"),
    message:
        "Training the source model {wildcards.letters} seed {wildcards.seed}"
    script:
        "../workflow/scripts/adapt_source.py"


rule adapt_target:
    input:
        targets=of_shard(paths.pack_index),
        packs=every_shard(paths.pack_index),
        source=paths.adapt_source("model.pt"),
    output:
        predictions=paths.adapt_target,
        diagnostics=paths.adapt_target_diagnostics,
    log:
        paths.log("adapt_target", "letters", "method", "protocol", "seed", "shard"),
    benchmark:
        paths.benchmark(
            "adapt_target", "letters", "method", "protocol", "seed", "shard"
        )
    wildcard_constraints:
        method="|".join(sorted(set(ADAPTATIONS) - set(VISION_LANGUAGE))),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
    params:
        config=flow.adapt.recipe,
        guard=flow.adapt.guard,
        only=flow.adapt.only,
        code=flow.adapt.code,
        record=flow.adapt.record,
    message:
        "Adapting by {wildcards.letters}{wildcards.method} ({wildcards.protocol}) in shard {wildcards.shard}"
    script:
        "../workflow/scripts/adapt_target.py"


rule adapt_fusion:
    input:
        packs=of_shard(paths.pack_index),
        model=paths.train("model.pt"),
    output:
        predictions=paths.adapt_fusion,
        diagnostics=paths.adapt_fusion_diagnostics,
    log:
        paths.log(
            "adapt_fusion",
            "fusion",
            "modalities",
            "method",
            "protocol",
            "seed",
            "shard",
        ),
    benchmark:
        paths.benchmark(
            "adapt_fusion",
            "fusion",
            "modalities",
            "method",
            "protocol",
            "seed",
            "shard",
        )
    wildcard_constraints:
        method="|".join(FOR_FUSIONS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
    params:
        config=flow.fusions.recipe,
        streams=flow.frames.streams,
        guard=flow.fusions.guard,
        only=flow.adapt.only,
        code=flow.fusions.code,
        record=flow.fusions.record,
    message:
        "Adapting {wildcards.fusion} by {wildcards.method} ({wildcards.protocol}) in shard {wildcards.shard}"
    script:
        "../workflow/scripts/adapt_fusion.py"


rule adapt_faces:
    input:
        packs=of_shard(paths.pack_index),
        faces=of_shard(paths.feature_index("faces")),
        source_packs=after_ingest(flow.faces.source_packs),
        source_faces=after_ingest(flow.faces.source_faces),
        model=flow.faces.model,
    output:
        predictions=paths.adapt_faces,
        diagnostics=paths.adapt_faces_diagnostics,
    log:
        paths.log(
            "adapt_faces",
            "face_network",
            "scope",
            "method",
            "protocol",
            "seed",
            "shard",
        ),
    benchmark:
        paths.benchmark(
            "adapt_faces",
            "face_network",
            "scope",
            "method",
            "protocol",
            "seed",
            "shard",
        )
    wildcard_constraints:
        method="|".join(FOR_FACES),
    conda:
        ENVIRONMENT
    threads: 4
    resources:
        mem_mb=8000,
    params:
        config=flow.faces.recipe,
        guard=flow.faces.guard,
        only=flow.adapt.only,
        code=flow.faces.code,
        record=flow.faces.record,
    message:
        "Adapting {wildcards.face_network} ({wildcards.scope}) by {wildcards.method} in shard {wildcards.shard}"
    script:
        "../workflow/scripts/adapt_faces.py"


# not part of a run: snakemake results/<run>/adapt/<method>/<protocol>/participant/<id>.parquet,
# of an input that is not the first results/<run>/adapt/modalities/<letters>/<method>/<protocol>/participant/<id>.parquet,
# for a fusion results/<run>/adapt/fusions/<fusion>/<modalities>/<method>/<protocol>/participant/<id>.parquet,
# for a network of faces results/<run>/adapt/faces/<network>/<scope>/<method>/<protocol>/participant/<id>.parquet
rule adapt_participant:
    input:
        shards=flow.adapt.shards_of_participant,
    output:
        predictions=paths.adapt_participant,
    log:
        paths.log("adapt_participant", "adapted", "protocol", "participant"),
    benchmark:
        paths.benchmark("adapt_participant", "adapted", "protocol", "participant")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
    params:
        code=code_of("adapt_participant"),
    message:
        "Predictions by {wildcards.adapted} ({wildcards.protocol}) for one participant"
    script:
        "../workflow/scripts/adapt_participant.py"


# no part of a run: ask for results/<run>/adapt/splits/<protocol>.parquet
rule adapt_splits:
    input:
        packs=every_shard(paths.pack_index),
    output:
        table=paths.adapt_splits,
    log:
        paths.log("adapt_splits", "protocol"),
    benchmark:
        paths.benchmark("adapt_splits", "protocol")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
    params:
        splits=cfg.adapt.target_splits,
        guard=flow.adapt.guard,
        only=cfg.adapt.chosen,
        code=code_of("adapt_splits"),
    message:
        "Splits of frames by {wildcards.protocol}"
    script:
        "../workflow/scripts/adapt_splits.py"


if flow.adapt.vision_language:

    rule adapt_fit:
        input:
            packs=every_shard(paths.pack_index),
            embeddings=every_shard(paths.feature_index("embeddings")),
            faces=after_ingest(flow.adapt.seen_everywhere),
            model=flow.adapt.encoder(),
        output:
            paths.adapt_fitted,
        log:
            paths.log("adapt_fit", "method", "seed"),
        benchmark:
            paths.benchmark("adapt_fit", "method", "seed")
        wildcard_constraints:
            method="|".join(VISION_LANGUAGE),
        conda:
            ENVIRONMENT
        resources:
            mem_mb=8000,
        params:
            config=flow.adapt.vision_language_recipe,
            code=flow.adapt.fit_code,
        message:
            "Preparing {wildcards.method} on the source, seed {wildcards.seed}"
        script:
            "../workflow/scripts/adapt_fit.py"

    rule adapt_vision_language:
        input:
            packs=of_shard(paths.pack_index),
            embeddings=of_shard(paths.feature_index("embeddings")),
            views=after_ingest(flow.adapt.seen_views),
            faces=after_ingest(flow.adapt.seen_faces),
            fitted=after_ingest(flow.adapt.fitted),
            model=flow.adapt.encoder(),
        output:
            predictions=paths.adapt_predictions,
            diagnostics=paths.adapt_diagnostics,
        log:
            paths.log("adapt_vision_language", "method", "protocol", "seed", "shard"),
        benchmark:
            paths.benchmark(
                "adapt_vision_language", "method", "protocol", "seed", "shard"
            )
        wildcard_constraints:
            method="|".join(VISION_LANGUAGE),
        conda:
            ENVIRONMENT
        resources:
            mem_mb=6000,
        params:
            config=flow.adapt.vision_language_recipe,
            guard=flow.adapt.picture_guard,
            only=flow.adapt.only,
            code=flow.adapt.vision_language_code,
            record=flow.adapt.vision_language_record,
        message:
            "Adapting CLIP by {wildcards.method} ({wildcards.protocol}) in shard {wildcards.shard}"
        script:
            "../workflow/scripts/adapt_vision_language.py"
