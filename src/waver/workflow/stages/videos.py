"""train: models of whole videos, of faces or of all features."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from waver.config.videos import VideoRun
from waver.errors import WaverError
from waver.modalities import names_of, split_context
from waver.registry import MODALITIES, VIDEO_MODELS
from waver.workflow.checks import check_methods
from waver.workflow.fingerprint import code
from waver.workflow.run import Wildcards
from waver.workflow.stages.base import OneJobModels, Trained


class Videos(OneJobModels):
    """Video-level models, one job for the splits and the folds."""

    def check(self, load: bool) -> None:
        """The models and their options are known, and each has what it looks at and what it is built on."""
        videos = self.config.videos
        names = {run.model for run in videos.runs} | set(videos.recipes)
        check_methods("videos.runs", VIDEO_MODELS, names, videos.options, load)
        for run in videos.runs:
            faces = VIDEO_MODELS[run.model].inputs == "faces"
            if faces and run.modalities not in ("V", "VQ"):
                raise WaverError(f"videos.runs: {run.model} takes V or VQ, not {run.modalities}; it looks at faces")
            if not faces and not split_context(run.modalities)[0]:
                *others, last = split_context("".join(MODALITIES))[0]
                raise WaverError(
                    f"videos.runs: {run.model} needs {', '.join(others)} or {last} beside {run.modalities}"
                )

    def model_records(self) -> list[str]:
        """Of what the models are built on, or begin with."""
        roles = {role for run in self.config.videos.runs for role in self._roles(run.model)}
        return [self.run.model_record(role) for role in sorted(roles)]

    def _roles(self, name: str) -> list[str]:
        """Roles of the models that a video-level model is built on, or begins with if there is one."""
        asset = VIDEO_MODELS[name].asset
        return [asset] * bool(asset) + [name] * self.run.has_model(name)

    def roles(self, wildcards: Wildcards) -> list[str]:
        """Roles of ``weights``."""
        return self._roles(wildcards.video_model)

    def weights(self, wildcards: Wildcards) -> list[str]:
        """Installed records of what the model is built on, or begins with."""
        return [self.run.model_record(role) for role in self.roles(wildcards)]

    def indexes(self, wildcards: Wildcards) -> list[str]:
        """What the model looks at: indexes of the faces, or of the packs."""
        faces = VIDEO_MODELS[wildcards.video_model].inputs == "faces"
        template = self.paths.feature_index("faces") if faces else self.paths.pack_index
        return [template.format(shard=shard) for shard in self.run.shards]

    def outputs(self, name: str) -> list[str]:
        """A file of every model in the config."""
        return self._of_runs(self.config.videos.runs, name)

    def _of_runs(self, runs: Sequence[VideoRun], name: str) -> list[str]:
        return [
            self.paths.train_videos(name).format(video_model=run.model, modalities=run.modalities, seed=seed)
            for run in runs
            for seed in run.seeds
        ]

    def methods(self) -> Iterable[str]:
        """The models."""
        return [run.model for run in self.config.videos.runs]

    def trained(self) -> Mapping[str, Trained]:
        """The models, each with the seeds of all its rows."""
        found = {}
        for run in self.config.videos.runs:
            names = (run.model, run.modalities)
            same = [row for row in self.config.videos.runs if (row.model, row.modalities) == names]
            found[f"videos/{run.model}/{run.modalities}"] = Trained(
                "video",
                {"method": run.model, "modalities": run.modalities},
                [VIDEO_MODELS[run.model].target],
                self._roles(run.model),
                partial(self._of_runs, same),
            )
        return found

    def recipe(self, wildcards: Wildcards) -> dict[str, Any]:
        """The part of the config that decides one model."""
        recipe = self.config.videos.recipe(wildcards.video_model)
        return self.run.folding | {
            "recipe": recipe.model_dump(exclude={"runs", "recipes"}),
            "implied": VIDEO_MODELS[wildcards.video_model].implied,
        }

    def code(self, wildcards: Wildcards) -> str:
        """Fingerprint of the runner and of this model; other models do not count."""
        record = VIDEO_MODELS[wildcards.video_model]
        return code("train_videos", record.target, *([record.loader] if record.loader else []))

    def streams(self, wildcards: Wildcards) -> dict[str, str]:
        """What it takes from the records of its modalities."""
        return names_of(wildcards.modalities)

    def record(self, wildcards: Wildcards) -> dict[str, Any]:
        """What its predictions say about what made them."""
        return self.run.prediction_record(self.code(wildcards), self.recipe(wildcards))
