"""A method that adapts CLIP, prepared on the train split."""

from pathlib import Path

from waver.workflow.job import job
from waver.adaptation.vision_language.runner import fit_vision_language
from waver.adaptation.vision_language.targets import FrameStores
from waver.config.sections import AdaptConfig

with job(snakemake) as j:
    fit_vision_language(
        indexes=[Path(index) for index in j.input.packs],
        packs=Path(j.input.packs[0]).with_name("packs"),
        stores=FrameStores([Path(p) for p in j.input.embeddings], faces=[Path(p) for p in j.input.faces]),
        model=Path(j.input.model),
        method=j.wildcards.method,
        seed=int(j.wildcards.seed),
        config=AdaptConfig(**j.params.config),
        output=Path(j.output[0]),
    )
