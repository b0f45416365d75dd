"""One video-level model on faces or features with one seed, and its cross-validation."""

from pathlib import Path

from waver.workflow.job import job
from waver.config.videos import VideosConfig
from waver.training.videos.fit import train_videos

with job(snakemake) as j:
    train_videos(
        answers=[Path(path) for path in j.input.answers],
        indexes=[Path(path) for path in j.input.indexes],
        weights=dict(zip(j.params.roles, map(Path, j.input.weights), strict=True)),
        name=j.wildcards.video_model,
        modalities=j.wildcards.modalities,
        seed=int(j.wildcards.seed),
        folds=j.params.config["folds"],
        folding=j.params.config["folding"],
        config=VideosConfig(**j.params.config["recipe"]),
        outputs={name: Path(path) for name, path in j.output.items()},
        record=j.params.record,
    )
