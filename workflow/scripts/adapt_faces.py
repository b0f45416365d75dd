"""One adaptation method on a network of faces, for the target participants of one shard."""

from pathlib import Path

from waver.workflow.job import job
from waver.adaptation.faces.runner import Backbone, FaceFiles, adapt_faces
from waver.adaptation.protocol import Guard
from waver.config.sections import AdaptedFaces, VisionLanguageConfig

with job(snakemake) as j:
    source = {name: [Path(file) for file in j.input.get(name) or []] for name in ("source_packs", "source_faces")}
    adapt_faces(
        files=FaceFiles(
            targets=[Path(j.input.packs)],
            packs=Path(j.input.packs).with_name("packs"),
            faces=[Path(j.input.faces)],
            model=Path(j.input.model),
            **source,
        ),
        backbone=Backbone(**j.params.config["backbone"]),
        row=AdaptedFaces(**j.params.config["row"]),
        words=VisionLanguageConfig(**j.params.config["words"]),
        method=j.wildcards.method,
        protocol=j.wildcards.protocol,
        guard=Guard(**j.params.guard),
        seed=int(j.wildcards.seed),
        targets=j.params.config["targets"],
        predictions=Path(j.output.predictions),
        record=j.params.record,
        only=j.params.only,
    )
