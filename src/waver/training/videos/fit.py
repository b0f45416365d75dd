"""Train and cross-validate one video-level model, and write its predictions."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import nn

from waver.assets.manifest import installed
from waver.config.videos import VideosConfig
from waver.datasets.answers import Answer, read_answers
from waver.datasets.folds import Folding, folds_of
from waver.device import torch_device
from waver.errors import WaverError
from waver.io.atomic import atomic_write, put_in_place
from waver.io.lock import exclusive
from waver.io.predictions import answer_table
from waver.io.tables import FEATURE_INDEX, PACK_INDEX, read_tables, write_arrow
from waver.provenance import digest, seed_for
from waver.records import method_config
from waver.registry import VIDEO_MODELS
from waver.training.checkpoint import MADE_FROM, finished, write_history
from waver.training.cross_validation import CrossValidation, Fold
from waver.training.trainer import Job, train
from waver.training.videos.checkpoint import (
    VideoCheckpoint,
    build_video_model,
    load_video_checkpoint,
    new_video_model,
    save_video_checkpoint,
)
from waver.training.videos.data import FaceMaterial, FeatureMaterial, Material
from waver.training.videos.training import VideoTraining, video_logits

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """One row of the config with one seed, and what lies in the stores for it."""

    name: str
    modalities: str
    seed: int
    config: VideosConfig
    weights: Mapping[str, Path]
    material: Material
    key: str
    folder: Path

    def part(self, kind: str) -> Path:
        """A file of the standard split, until all is done."""
        return self.folder / f"standard.{kind}.part"

    @property
    def job(self) -> Job[VideosConfig]:
        """The training on the standard split."""
        key, state = digest([self.key, "standard"]), self.folder / "standard.resume"
        return Job(self.config, self.seed, key, self.part("jsonl"), state)


def train_videos(
    answers: Sequence[Path],
    indexes: Sequence[Path],
    weights: Mapping[str, Path],
    name: str,
    modalities: str,
    seed: int,
    folds: int,
    folding: Folding,
    config: VideosConfig,
    outputs: Mapping[str, Path],
    record: Mapping[str, Any],
) -> None:
    """Learn from train, choose the epoch on val, predict val and test; then once a fold of train and val.

    Videos of test are read only when the model is written, and their labels never. Videos without faces, or
    without a pack, are named in the log and left out. A killed job goes on in the fold and epoch where it was.
    Outputs that are there, made from the same, are kept.

    Args:
        answers: ANSWERS tables of all shards: splits and labels.
        indexes: FEATURE_INDEX tables of the faces, or PACK_INDEX tables, as the model takes it.
        weights: role -> ``asset.json`` of what the model is built on (``asset`` of its record) or begins with (its own
            name); empty: it begins at random.
        name: model, by its name in the registry.
        modalities: letters.
        seed: decides everything drawn.
        folds: folds of the cross-validation; below 2 none, and the tables of folds are empty.
        folding: who is held out together.
        config: the recipe of this model.
        outputs: files to write: ``model``, ``history``, ``predictions`` (val, test), ``folds`` (out of fold),
            ``folds_history``.
        record: ``model_set``, ``code`` and ``config``, copied into the predictions' metadata.

    Raises:
        WaverError: modalities that the model cannot take, or a split without labelled videos of both classes.
    """
    everyone = read_answers(answers)
    material = _material(name, modalities, indexes, config)
    made_from = [name, modalities, seed, config.model_dump(), record.get("code"), torch.__version__]
    key = digest([*made_from, *_given(everyone, indexes, VIDEO_MODELS[name].inputs, weights)])
    row = Row(name, modalities, seed, config, weights, material, key, outputs["model"].parent)
    about = {"method": name, "modalities": modalities, "level": "video", "seed": seed, **record}
    whole = digest([key, folds, folding, record])
    split = {part: [answer for answer in everyone if answer.split == part] for part in ("train", "val", "test")}
    # a copy of this job may still work on a node that Slurm lost: wait for it, and go on from its last epoch
    with exclusive(f"{outputs['model']}.lock", remove=True):
        if finished(outputs, "folds", whole):
            return
        split |= {part: material.usable(split[part]) for part in ("train", "val")}
        checkpoint = _standard(row, split["train"], split["val"], record)
        predicted = [*split["val"], *material.usable(split["test"])]
        write_arrow(outputs["predictions"], _predicted(row, checkpoint, predicted), {**about, "protocol": "standard"})
        known = [*split["train"], *split["val"]]
        crossed = _crossed(row, everyone, folds, folding)
        table = crossed.predictions(partial(_out_of_fold, row, known))
        write_arrow(outputs["folds"], table, {**about, MADE_FROM: whole, "protocol": "cv"})
        crossed.write_history(outputs["folds_history"])
        _finish(row, outputs)
        crossed.remove_parts()


def _material(name: str, modalities: str, indexes: Sequence[Path], config: VideosConfig) -> Material:
    if VIDEO_MODELS[name].inputs == "features":
        return FeatureMaterial(indexes, modalities, config)
    if modalities not in ("V", "VQ"):
        raise WaverError(f"{name} looks at faces alone; set its modalities in videos.runs to V or VQ, not {modalities}")
    options = method_config(VIDEO_MODELS, name, config.options.get(name, {}))
    return FaceMaterial(indexes, modalities, options.frames, config)


def _given(
    everyone: Sequence[Answer], indexes: Sequence[Path], inputs: str, weights: Mapping[str, Path]
) -> tuple[Any, ...]:
    """What decides a training beside its recipe: splits and labels, stores, weights to begin with."""
    about = [(answer.video, answer.split, answer.label) for answer in everyone]
    rows = read_tables(indexes, PACK_INDEX if inputs == "features" else FEATURE_INDEX)
    keys = {row["video"]: row["key"] for row in rows}
    return about, keys, {role: installed(path).key for role, path in weights.items()}


def _standard(row: Row, train: Sequence[Answer], val: Sequence[Answer], record: Mapping[str, Any]) -> VideoCheckpoint:
    """The model of the standard split, trained or, in a job that was killed later, read."""
    job, path = row.job, row.part("pt")
    if path.exists():
        checkpoint = load_video_checkpoint(path)
        if checkpoint.record.get("key") == job.key:
            return checkpoint
    checkpoint = fit(row, train, val, job)
    checkpoint.record.update(record, key=job.key)
    save_video_checkpoint(path, checkpoint)
    job.state.unlink(missing_ok=True)
    return checkpoint


def _crossed(row: Row, everyone: Sequence[Answer], count: int, folding: Folding) -> CrossValidation[VideosConfig]:
    people = [answer.participant for answer in everyone if answer.split in ("train", "val")]
    fold_of = folds_of(people, count, folding) if count > 1 else {}
    return CrossValidation(row.config, row.seed, row.key, fold_of, count, row.folder)


def _out_of_fold(row: Row, known: Sequence[Answer], fold: Fold, job: Job[VideosConfig]) -> pa.Table:
    train, choose, held_out = fold.split(known)
    return _predicted(row, fit(row, train, choose, job), held_out, [fold.number] * len(held_out))


def fit(row: Row, learn: Sequence[Answer], choose: Sequence[Answer], job: Job[VideosConfig]) -> VideoCheckpoint:
    """Fit to labelled videos; there is no way for test data in here.

    Args:
        row: which one.
        learn: to learn from; those without a label are left out.
        choose: of other people, to choose the epoch with; likewise.
        job: recipe, seed and files.

    Raises:
        WaverError: a class is missing, or there is nobody to choose with.
    """
    learn, choose = ([answer for answer in some if answer.label >= 0] for some in (learn, choose))
    normalisation = row.material.learn(learn) if learn else None
    torch.manual_seed(seed_for("videos", job.seed, "weights"))
    sizes = None if normalisation is None else normalisation.sizes
    options = job.config.options.get(row.name, {})
    network = new_video_model(row.name, options, sizes, row.weights)
    if not network.learns and row.name not in row.weights:
        raise WaverError(f"{row.name} is to be applied as it is; give its weights under models.paths.{row.name}")
    record: dict[str, Any] = {"seed": job.seed}
    if network.learns:
        _check(learn, choose)
        _describe(network, learn, choose)
        train_on, choose_with = (row.material.examples(some, normalisation) for some in (learn, choose))
        progress = train(VideoTraining(network, train_on, choose_with, job.config, job.seed), job)
        record |= progress.history[progress.best_epoch - 1]
    else:
        log.info("%s is not fitted: it is applied as it is", row.name)
        write_history(job.history, [])
    return VideoCheckpoint(
        model=row.name,
        modalities=row.modalities,
        options=network.config.model_dump(mode="json"),
        normalisation=normalisation,
        state=dict(network.state_dict()) if network.learns else {},
        step_frames=job.config.step_frames,
        record=record,
    )


def _check(learn: Sequence[Answer], choose: Sequence[Answer]) -> None:
    if len({answer.label for answer in learn}) < 2:
        raise WaverError("the videos to learn from need labels of both classes; check the split files")
    if not choose:
        raise WaverError("no labelled video is left to choose the epoch with; check the split files")


def _describe(network: nn.Module, learn: Sequence[Answer], choose: Sequence[Answer]) -> None:
    for name, some in (("trained on", learn), ("choosing the epoch", choose)):
        log.info("%s: %d videos, %d with A/H", name, len(some), sum(answer.label for answer in some))
    count = sum(parameter.numel() for parameter in network.parameters())
    learning = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    log.info("%d parameters, %d of them learn", count, learning)


def _predicted(
    row: Row, checkpoint: VideoCheckpoint, predicted: Sequence[Answer], fold: Sequence[int] | None = None
) -> pa.Table:
    """PREDICTIONS rows of videos that the model was not trained on."""
    network = build_video_model(checkpoint, row.weights).to(torch_device())
    examples = row.material.examples(predicted, checkpoint.normalisation)
    logits = video_logits(network, examples, row.config.at_once).astype(np.float64)
    return answer_table(predicted, logits[:, 1] - logits[:, 0], fold)


def _finish(row: Row, outputs: Mapping[str, Path]) -> None:
    """Put model and history of the standard split under the names of the outputs."""
    # the history stays until the model is in place: a job killed in between finds both
    with atomic_write(outputs["history"]) as file:
        shutil.copyfile(row.part("jsonl"), file)
    put_in_place(row.part("pt"), outputs["model"])
    row.part("jsonl").unlink()
