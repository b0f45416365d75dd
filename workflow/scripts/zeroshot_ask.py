"""A model asked about the videos, or the windows, of one shard."""

from pathlib import Path

from waver.workflow.job import job
from waver.config.zeroshot import ZeroShotConfig
from waver.zeroshot.items import Sources
from waver.zeroshot.runner import ask_shard

with job(snakemake) as j:
    given = {name: Path(j.input[name][0]) if j.input[name] else None for name in ("videos", "speech", "faces")}
    cues = {Path(path).parent.name: Path(path) for path in j.input.cues}
    ask_shard(
        Sources(answers=Path(j.input.answers), root=Path(j.params.root), cue_features=cues, **given),
        model=Path(j.input.model[0]) if j.input.model else None,
        name=j.params.base,
        granularity=j.wildcards.granularity,
        questions=j.params.questions,
        config=ZeroShotConfig(**j.params.config),
        hesitations=j.params.hesitations,
        code=j.params.code,
        output=Path(j.output.answers),
        adapter=Path(j.input.adapter[0]) if j.input.adapter else None,
    )
