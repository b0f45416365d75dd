"""One model or medium of the manifest, verified, into resources/models."""

from pathlib import Path

from waver.workflow.job import job
from waver.assets.manifest import install

with job(snakemake) as j:
    install(name=j.wildcards.model, folder=Path(j.output[0]).parent, paths=j.params.paths)
