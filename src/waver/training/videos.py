"""Train and cross-validate one video-level model, and write its predictions."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import nn

from waver.assets.manifest import installed
from waver.config.videos import VideosConfig
from waver.data.answers import Answer, read_answers
from waver.data.folds import Folding, folds_of, parts_of
from waver.device import torch_device
from waver.errors import WaverError
from waver.models.registry import VIDEO_INPUTS, VIDEO_MODELS, method_config
from waver.provenance import digest, seed_for
from waver.store.lock import exclusive
from waver.store.tables import (
    FEATURE_INDEX,
    PACK_INDEX,
    PREDICTIONS,
    read_arrow,
    read_metadata,
    read_tables,
    write_arrow,
)
from waver.store.whole import put_in_place, written_whole
from waver.training.answer_table import answer_table
from waver.training.archive import join_histories, write_history
from waver.training.finished import KEY, finished
from waver.training.video_checkpoint import (
    VideoCheckpoint,
    build_video_model,
    load_video_checkpoint,
    new_video_model,
    save_video_checkpoint,
)
from waver.training.video_data import FaceMaterial, FeatureMaterial, Material
from waver.training.video_loop import VideoJob, train_epochs, video_logits

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

    def part(self, name: str, kind: str) -> Path:
        """A file of a finished part: ``standard`` or ``fold0`` and so on."""
        return self.folder / f"{name}.{kind}.part"

    def job(self, name: str, *who: Any) -> VideoJob:
        """The training of a part; ``who`` is learnt from, where that is not the train split."""
        key, state = digest([self.key, name, *who]), self.folder / f"{name}.resume"
        return VideoJob(self.config, self.seed, key, self.part(name, "jsonl"), state)


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
        weights: role -> ``asset.json`` of what the model is built on (``VIDEO_ASSETS``) or begins with (its own
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
    key = digest([*made_from, *_given(everyone, indexes, VIDEO_INPUTS[name], weights)])
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
        judged = [*split["val"], *material.usable(split["test"])]
        write_arrow(outputs["predictions"], _predicted(row, checkpoint, judged), {**about, "protocol": "standard"})
        known = [*split["train"], *split["val"]]
        numbers = _folds(row, known, everyone, folds, folding)
        tables = [answer_table([], np.zeros(0)), *(read_arrow(row.part(n, "parquet"), PREDICTIONS) for n in numbers)]
        write_arrow(outputs["folds"], pa.concat_tables(tables), {**about, KEY: whole, "protocol": "cv"})
        _finish(row, numbers, outputs)


def _material(name: str, modalities: str, indexes: Sequence[Path], config: VideosConfig) -> Material:
    if VIDEO_INPUTS[name] == "features":
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
    job, path = row.job("standard"), row.part("standard", "pt")
    if path.exists():
        checkpoint = load_video_checkpoint(path)
        if checkpoint.record.get("key") == job.key:
            return checkpoint
    checkpoint = fit(row, train, val, job)
    checkpoint.record.update(record, key=job.key)
    save_video_checkpoint(path, checkpoint)
    job.state.unlink(missing_ok=True)
    return checkpoint


def _folds(row: Row, known: Sequence[Answer], everyone: Sequence[Answer], count: int, folding: Folding) -> list[str]:
    """Train what is not yet trained of the folds; the names of the parts."""
    if count < 2:
        return []
    people = [answer.participant for answer in everyone if answer.split in ("train", "val")]
    fold_of = folds_of(people, count, folding)
    for number in range(count):
        learn, choose, judge = (
            [answer for answer in known if answer.participant in people]
            for people in map(set, parts_of(fold_of, number, count))
        )
        part = f"fold{number}"
        job, path = row.job(part, fold_of), row.part(part, "parquet")
        if path.exists() and read_metadata(path).get("key") == job.key:
            continue
        log.info("fold %d of %d: %d videos learnt from, %d held out", number + 1, count, len(learn), len(judge))
        checkpoint = fit(row, learn, choose, job)
        write_arrow(path, _predicted(row, checkpoint, judge, [number] * len(judge)), {"key": job.key})
        job.state.unlink(missing_ok=True)
    return [f"fold{number}" for number in range(count)]


def fit(row: Row, learn: Sequence[Answer], choose: Sequence[Answer], job: VideoJob) -> VideoCheckpoint:
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
    learns = bool(getattr(network, "learns", True))
    if not learns and row.name not in row.weights:
        raise WaverError(f"{row.name} is to be applied as it is; give its weights under models.paths.{row.name}")
    record: dict[str, Any] = {"seed": job.seed}
    if learns:
        _check(learn, choose)
        _describe(network, learn, choose)
        examples = [row.material.examples(some, normalisation) for some in (learn, choose)]
        progress = train_epochs(network, examples[0], examples[1], job)
        record |= progress.history[progress.best_epoch - 1]
    else:
        log.info("%s is not fitted: it is applied as it is", row.name)
        write_history(job.history, [])
    return VideoCheckpoint(
        model=row.name,
        modalities=row.modalities,
        options=network.config.model_dump(mode="json"),  # type: ignore[union-attr, operator]
        normalisation=normalisation,
        state=dict(network.state_dict()) if learns else {},
        step_frames=job.config.step_frames,
        record=record,
    )


def _check(learn: Sequence[Answer], choose: Sequence[Answer]) -> None:
    if len({answer.label for answer in learn}) < 2:
        raise WaverError("the videos to learn from need labels of both classes; check the split files")
    if not choose:
        raise WaverError("no labelled video is left to choose the epoch with; check the split files")


def _describe(network: nn.Module, learn: Sequence[Answer], choose: Sequence[Answer]) -> None:
    for name, some in (("learnt from", learn), ("choosing the epoch", choose)):
        log.info("%s: %d videos, %d with A/H", name, len(some), sum(answer.label for answer in some))
    count = sum(parameter.numel() for parameter in network.parameters())
    learning = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    log.info("%d parameters, %d of them learn", count, learning)


def _predicted(
    row: Row, checkpoint: VideoCheckpoint, judged: Sequence[Answer], fold: Sequence[int] | None = None
) -> pa.Table:
    """PREDICTIONS rows of videos that the model never learnt from."""
    network = build_video_model(checkpoint, row.weights).to(torch_device())
    examples = row.material.examples(judged, checkpoint.normalisation)
    logits = video_logits(network, examples, row.config.at_once).astype(np.float64)
    return answer_table(judged, logits[:, 1] - logits[:, 0], fold)


def _finish(row: Row, folds: Sequence[str], outputs: Mapping[str, Path]) -> None:
    """Put the histories of the folds together, and the parts under the names of the outputs."""
    join_histories([row.part(part, "jsonl") for part in folds], outputs["folds_history"])
    # the history stays until the model is in place: a job killed in between finds both
    with written_whole(outputs["history"]) as file:
        shutil.copyfile(row.part("standard", "jsonl"), file)
    put_in_place(row.part("standard", "pt"), outputs["model"])
    row.part("standard", "jsonl").unlink()
    for part in folds:
        for kind in ("parquet", "jsonl"):
            row.part(part, kind).unlink()
