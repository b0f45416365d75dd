"""Predictions of every method, seeds averaged and shards joined, on the items of the truth."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from waver.errors import WaverError
from waver.evaluation.labels import Truth
from waver.evaluation.video_aggregation import VideoRule, video_probabilities
from waver.io.tables import PREDICTIONS, read_arrow, read_metadata
from waver.io.zarr_store import Array
from waver.training.trained_model import NO_MODEL, TrainedModel, recorded_model

log = logging.getLogger(__name__)

_LEAST = 1e-12
"""Least probability whose logit is taken."""


class Method(NamedTuple):
    """Identity of a line of the tables; of a model of frames with its record, of adaptation with what was adapted."""

    method: str
    modalities: str
    protocol: str
    model_set: str
    model: TrainedModel | None = None
    network: str = ""

    @property
    def columns(self) -> dict[str, Any]:
        """Values of MODEL_FIELDS."""
        return {**(NO_MODEL if self.model is None else self.model.columns), "network": self.network or None}


class Source(NamedTuple):
    """Files of a method's predictions: their level, and the shards of each seed."""

    level: str
    seeds: tuple[tuple[Path, ...], ...]


@dataclass(frozen=True)
class Predicted:
    """One method's predictions at one level.

    Attributes:
        name: the method.
        level: frame or video.
        seeds: seeds averaged.
        item: int64 [n], numbers of items of the truth of this level, ascending.
        probability: float64 [n], mean over the seeds.
        margin: float64 [n], logit of A/H minus logit of none, mean over the seeds.
        fold: int8 [n], fold that held the item out; -1 outside cross-validation.
        source: where the single seeds can be read again; None where that is not known.
    """

    name: Method
    level: str
    seeds: int
    item: Array
    probability: Array
    margin: Array
    fold: Array
    source: Source | None = None

    def take(self, kept: Array) -> Predicted:
        """Some of the predictions (mask or numbers)."""
        parts = (self.item[kept], self.probability[kept], self.margin[kept], self.fold[kept])
        return Predicted(self.name, self.level, self.seeds, *parts, self.source)


def read_predictions(
    paths: Sequence[Path], truths: Mapping[str, Truth], models: Sequence[Mapping[str, Any]] = ()
) -> list[Predicted]:
    """Read predictions files and join those that differ only in seed or in shard.

    Args:
        paths: predictions files of any methods, in any order.
        truths: level -> truth; predictions for splits that it leaves out are dropped.
        models: ``TrainedModel.record`` of the models of frames among the methods: the changes of their variants.

    Raises:
        WaverError: a file lacks its metadata, is of another model than one of its name, has an item
            twice, a probability that is none, or frames that its video lacks.
    """
    files: dict[tuple[Method, str], dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    changed = {(model["method"], model["modalities"]): {"changed": model["changed"]} for model in models}
    found: dict[Method, TrainedModel | None] = {}
    for path in paths:
        about = _about(path)
        names = about["method"], about["modalities"]
        model = recorded_model(about | changed.get(names, {}), path)
        name = Method(*names, about["protocol"], str(about.get("model_set", "")), model, about.get("network", ""))
        if found.setdefault(name._replace(model=None), model) != model:
            raise WaverError(f"{path} is of another model than other predictions of its name; delete it and run again")
        files[name, about["level"]][str(about.get("seed"))].append(path)
    return [_join(name, truths[level], files[name, level]) for name, level in sorted(files)]


def prompt_sets(paths: Sequence[Path]) -> dict[str, str]:
    """Method -> name of the set of prompts, of those that are models that were asked."""
    known = [read_metadata(path) for path in paths]
    return {about["method"]: about["zeroshot"]["prompt_set"] for about in known if about.get("zeroshot")}


def _about(path: Path) -> dict[str, Any]:
    about = read_metadata(path)
    missing = [key for key in ("method", "modalities", "level", "protocol") if key not in about]
    if missing or about["level"] not in ("frame", "video"):
        raise WaverError(f"{path} has no {missing[0] if missing else 'level'} in its metadata; delete it and run again")
    return about


def _join(name: Method, truth: Truth, by_seed: Mapping[str, Sequence[Path]]) -> Predicted:
    total, margins = np.zeros(len(truth.label)), np.zeros(len(truth.label))
    seeds, folds = np.zeros(len(truth.label), np.int64), np.full(len(truth.label), -1, np.int8)
    for paths in by_seed.values():
        alone = read_seed(name, truth, paths)
        item = alone.item
        if ((folds[item] != alone.fold) & (seeds[item] > 0)).any():
            raise WaverError(
                f"{paths[0]} was cross-validated on other folds than another seed; delete it and run again"
            )
        total[item] += alone.probability
        margins[item] += alone.margin
        folds[item] = alone.fold
        seeds[item] += 1
    item = np.flatnonzero(seeds)
    if len(item) and seeds[item].min() < len(by_seed):
        log.warning("%s (%s): seeds differ in the %ss they predict", name.method, name.protocol, truth.level)
    count, source = seeds[item], Source(truth.level, tuple(tuple(paths) for paths in by_seed.values()))
    means = total[item] / count, margins[item] / count
    return Predicted(name, truth.level, len(by_seed), item, *means, folds[item], source)


def read_seed(name: Method, truth: Truth, paths: Sequence[Path]) -> Predicted:
    """One seed's predictions.

    Args:
        name: the method.
        truth: of the files' level.
        paths: the seed's shards.

    Raises:
        WaverError: as for ``read_predictions``.
    """
    once, read = np.zeros(len(truth.label), bool), 0
    probability, margin = np.zeros(len(truth.label)), np.zeros(len(truth.label))
    fold = np.full(len(truth.label), -1, np.int8)
    for path in paths:
        item, *values = _read(path, truth)
        once[item] = True
        read += len(item)
        if np.count_nonzero(once) < read:
            raise WaverError(f"{path} predicts a {truth.level} twice; delete it and run again")
        probability[item], margin[item], fold[item] = values
    item = np.flatnonzero(once)
    return Predicted(name, truth.level, 1, item, probability[item], margin[item], fold[item])


def _read(path: Path, truth: Truth) -> tuple[Array, Array, Array, Array]:
    """Items, probabilities, margins and folds of a file, without those of videos that the truth leaves out."""
    table = read_arrow(path, PREDICTIONS)
    probability = table["probability"].to_numpy()
    if not ((probability >= 0) & (probability <= 1)).all():
        raise WaverError(f"{path} has probabilities outside 0 to 1; delete it and run again")
    codes = table["video"].combine_chunks().dictionary_encode()
    names = codes.dictionary.to_pylist()
    code = codes.indices.to_numpy()
    start = np.array([truth.start.get(name, -1) for name in names], np.int64)[code]
    length = np.array([truth.length.get(name, 0) for name in names], np.int64)[code]
    frame = table["frame"].fill_null(0).to_numpy().astype(np.int64)
    known = start >= 0
    outside = known & ((frame < 0) | (frame >= length))
    if outside.any():
        name = names[code[np.flatnonzero(outside)[0]]]
        raise WaverError(f"{path} predicts frames that {name} does not have; delete it and run again")
    margin, fold = table["margin"].to_numpy(), table["fold"].fill_null(-1).to_numpy()
    return (start + frame)[known], probability[known], margin[known], fold[known]


def to_videos(
    predicted: Predicted, frames: Truth, videos: Truth, window_frames: int, rule: VideoRule = "sliding_mean"
) -> Predicted:
    """Video-level predictions from frame-level ones, without videos of which some frames have no prediction."""
    names = [name for name in frames.start if name in videos.start]
    start = np.array([frames.start[name] for name in names], np.int64)
    length = np.array([frames.length[name] for name in names], np.int64)
    have = np.searchsorted(predicted.item, start + length) - np.searchsorted(predicted.item, start)
    complete = (have == length) & (length > 0)
    partial = int((have[~complete] > 0).sum())
    if partial:
        log.warning("%s: %d videos are excluded, for some frames lack predictions", predicted.name.method, partial)
    in_complete = np.zeros(len(frames.label), bool)
    for first, last in zip(start[complete], (start + length)[complete], strict=True):
        in_complete[first:last] = True
    kept = in_complete[predicted.item]
    probability, margin = predicted.probability[kept], predicted.margin[kept]
    probability = video_probabilities(probability, length[complete], window_frames, rule, margin)
    item = np.array([videos.start[name] for name, there in zip(names, complete, strict=True) if there], np.int64)
    order = np.argsort(item)
    probability = probability[order]
    margin = np.log(np.maximum(probability, _LEAST)) - np.log(np.maximum(1 - probability, _LEAST))
    first = np.searchsorted(predicted.item, start[complete])[order]
    return replace(
        predicted, level="video", item=item[order], probability=probability, margin=margin, fold=predicted.fold[first]
    )


def restrict(predicted: Predicted, item: Array) -> Predicted:
    """The predictions for some items only."""
    return predicted.take(np.isin(predicted.item, item, assume_unique=True))
