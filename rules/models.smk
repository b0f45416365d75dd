"""Models and media: installed once, verified by sha256. The only jobs that may use the network."""


# on the node where Snakemake runs: compute nodes may have no network
localrules:
    models,
    models_install,


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
    conda:
        ENVIRONMENT
    params:
        entry=flow.models.asset,
        paths=flow.models.own_path,
        code=code_of("models_install"),
    message:
        "Installing model {wildcards.model}"
    script:
        "../workflow/scripts/models_install.py"
