"""One model of the manifest, over a network, verified, into resources/models."""

from pathlib import Path

from waver.workflow.job import job
from waver.assets.manifest import fetch

with job(snakemake) as j:
    fetch(name=j.wildcards.model, folder=Path(j.output[0]).parent, accepted=j.params.accepted)
