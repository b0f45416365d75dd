"""Jobs whose cost depends on the model that they train: their number, and the amount of training data of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from waver.cluster.workload import Workload
from waver.config.model import Config
from waver.datasets.emotions.readers import read_emotions
from waver.errors import WaverError
from waver.registry import ZERO_SHOT_MODELS
from waver.shapes import FPS
from waver.zeroshot.prompts.prompt_set import read_prompts


@dataclass(frozen=True)
class Part:
    """The jobs of a rule that train one model.

    Attributes:
        model: its name.
        jobs: number of them.
        amount: how often each unit of the table occurs in all of them, see the head of ``rates.yaml``.
        other: the config gives the network options of its own, and rates are those of its defaults.
        missing: what keeps the amount from being known; empty where it is.
        note: what a reader should know of the amount.
        items: videos and windows that a model is asked about.
    """

    model: str
    jobs: int
    amount: Mapping[str, float]
    other: bool = False
    missing: str = ""
    note: str = ""
    items: float = 0


def parts_of_rule(rule: str, config: Config, work: Workload, rates: dict[str, Any]) -> list[Part]:
    """What a rule of the table with ``models`` trains, by model.

    Args:
        rule: its name.
        config: of the run.
        work: how much there is to do.
        rates: the table.
    """
    found = {"train_answers": _answers, "train_videos": _videos}
    if rule in found:
        return _joined(found[rule](config, work))
    if rule == "zeroshot_ask":
        return list(_prompted(config, work))
    if rule == "features_visual":
        return list(_visual(config, work))
    if rule == "train_emotions":
        return list(_emotions(config))
    return list(_frames(config, work, float(rates["positive_share"])))


def _joined(parts: Iterator[Part]) -> list[Part]:
    """One part per model."""
    found: dict[str, list[Part]] = {}
    for part in parts:
        found.setdefault(part.model, []).append(part)
    return [
        Part(
            model,
            sum(part.jobs for part in own),
            {unit: sum(part.amount[unit] for part in own) for unit in own[0].amount},
            own[0].other,
        )
        for model, own in found.items()
    ]


def _trained(config: Config, work: Workload) -> int:
    """Videos that the fits of one job are trained on: train, and all folds except the held-out and the choosing one."""
    train, val = (len(work.lengths_s[split]) for split in ("train", "val"))
    folds = config.train.folds
    return train + (max(folds - 2, 1) * (train + val) if folds > 1 else 0)


def _answers(config: Config, work: Workload) -> Iterator[Part]:
    for run in config.answers.chosen:
        jobs = len(run.seeds)
        amount = {"job": jobs, "trained_answer": jobs * _trained(config, work)}
        yield Part(run.model, jobs, amount, bool(config.answers.options.get(run.model)))


def _videos(config: Config, work: Workload) -> Iterator[Part]:
    for run in config.videos.runs:
        jobs, epochs = len(run.seeds), config.videos.recipe(run.model).epochs
        amount = {"job": jobs, "trained_video": jobs * epochs * _trained(config, work)}
        yield Part(run.model, jobs, amount, bool(config.videos.options.get(run.model)))


def _visual(config: Config, work: Workload) -> Iterator[Part]:
    jobs = config.dataset.shards
    for name, other in backbones_of(config):
        yield Part(name, jobs, {"job": jobs, "trained_picture": 0.0, "evaluated_picture": work.frames()}, other)


def _frames(config: Config, work: Workload, positive_share: float) -> Iterator[Part]:
    stage = config.backbone.ah
    # all frames with A/H and as many without
    trained = 2 * positive_share * work.frames("train") / stage.every
    yield from _backbones(config, stage.epochs, trained, work.frames("val") / stage.every)


def _emotions(config: Config) -> Iterator[Part]:
    stage = config.backbone.emotions
    try:
        pictures, _ = read_emotions(stage.sets)
    except WaverError:
        for name, _ in backbones_of(config):
            yield Part(name, 1, {}, missing="the pictures of backbone.emotions.sets are not here")
        return
    trained = sum(picture.part == "train" for picture in pictures)
    yield from _backbones(config, stage.epochs, trained, len(pictures) - trained)


def _backbones(config: Config, epochs: int, trained: float, evaluated: float) -> Iterator[Part]:
    amount = {"job": 1, "trained_picture": epochs * trained, "evaluated_picture": epochs * evaluated}
    for name, other in backbones_of(config):
        yield Part(name, 1, amount, other)


def backbones_of(config: Config) -> list[tuple[str, bool]]:
    """Name of every visual backbone, and whether it has options of its own."""
    visual = config.features.visual
    return [(visual.backbone, bool(visual.options)), *((name, False) for name in config.train.backbones)]


def _prompted(config: Config, work: Workload) -> Iterator[Part]:
    """Calls of models that are asked; prompts that a model can say nothing to are counted too."""
    zeroshot = config.zeroshot
    frames = [FPS * lengths for split, lengths in work.lengths_s.items() if split in zeroshot.splits]
    videos = sum(map(len, frames))
    known = read_prompts(zeroshot.prompt_set).chosen(zeroshot.prompts)
    prompts = sum(len(prompt.orders()) for prompt in known.values())
    for name in zeroshot.models:
        windows = zeroshot.windows_about(ZERO_SHOT_MODELS[name].inputs)
        items = videos * zeroshot.video + sum(
            float(np.ceil(np.maximum(own - window, 0) / (zeroshot.stride or window)).sum()) + len(own)
            for window in windows
            for own in frames
        )
        jobs = config.dataset.shards * (zeroshot.video + len(windows))
        calls = items * prompts
        note = f"at most {calls:,.0f} calls: {prompts} prompts about {items:,.0f} videos and windows"
        amount = {"job": jobs, "prompt": calls}
        yield Part(name, jobs, amount, bool(zeroshot.options.get(name)), note=note, items=items)
    learned = sum(len(work.lengths_s.get(split, ())) for split in zeroshot.splits if split != "train")
    for name in zeroshot.finetune.models:
        jobs, calls = config.dataset.shards * len(zeroshot.finetune.seeds), learned * len(zeroshot.finetune.seeds)
        note = f"at most {calls:,.0f} calls of {name} after fine-tuning, which is not counted"
        amount = {"job": jobs, "prompt": calls}
        yield Part(name, jobs, amount, bool(zeroshot.options.get(name)), note=note, items=calls)
