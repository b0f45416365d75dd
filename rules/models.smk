"""Models and media: installed once, verified by sha256. The only jobs that may reach for a network."""


# on the node where Snakemake runs: compute nodes may have no network
localrules:
    models,
    models_install,


rule models:
    input:
        installs(),


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
        entry=lambda wildcards: fingerprint(wildcards.model, cfg.models.paths),
        paths=own_path,
        code=code("models_install", "waver.assets.manifest"),
    message:
        "Installing model {wildcards.model}"
    script:
        "../workflow/scripts/models_install.py"
