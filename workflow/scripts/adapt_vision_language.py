"""CLIP adapted to the target participants of one shard."""

from pathlib import Path

from waver.workflow.job import job
from waver.adaptation.protocol import Guard
from waver.adaptation.vision_language.runner import adapt_vision_language
from waver.adaptation.vision_language.targets import FrameStores
from waver.config.sections import AdaptConfig

with job(snakemake) as j:
    seen = {name: [Path(p) for p in j.input.get(name) or []] for name in ("views", "faces")}
    adapt_vision_language(
        indexes=[Path(j.input.packs)],
        packs=Path(j.input.packs).with_name("packs"),
        stores=FrameStores([Path(j.input.embeddings)], **seen),
        model=Path(j.input.model),
        fitted=Path(j.input.fitted[0]) if j.input.fitted else None,
        method=j.wildcards.method,
        protocol=j.wildcards.protocol,
        guard=Guard(**j.params.guard),
        seed=int(j.wildcards.seed),
        config=AdaptConfig(**j.params.config),
        predictions=Path(j.output.predictions),
        record=j.params.record,
        only=j.params.only,
    )
