"""Training of video-level models.

Every draw follows from the seed, the epoch and the video.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from waver.config.videos import VideosConfig
from waver.device import autocast
from waver.evaluation.metrics import average_precision, average_precision_paper, avgf1
from waver.models.base import VideoModel
from waver.provenance import seed_for
from waver.training.frames.predict import probability
from waver.training.lr_schedule import cosine_after_warm_up
from waver.training.optim import optimiser_of
from waver.training.trainer import Course, Meter, Training
from waver.training.videos.data import Examples, on_device

Logits = npt.NDArray[np.float32]


def make_optimiser(model: VideoModel, config: VideosConfig) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum .9, or AdamW, over what is trained; vectors do not decay.

    A model that begins with weights of others may name these (``body_parameters``), to train them more slowly.
    """
    body = {id(parameter) for parameter in model.body_parameters()}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        factor = config.body_rate if id(parameter) in body else 1.0
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        if parameter.requires_grad:
            groups.setdefault((factor, decay), []).append(parameter)
    given = [{"params": own, "factor": factor, "weight_decay": decay} for (factor, decay), own in groups.items()]
    return optimiser_of(given, config)


@dataclass(frozen=True)
class VideoStep:
    """One step: so many videos, and the inputs and labels of each of its forward passes, made as they are needed."""

    videos: int
    passes: Iterator[tuple[tuple[Any, ...], Tensor]]


class VideoTraining(Training[VideoModel, VideoStep]):
    """Whole videos, a loss over their logits, scores over the validation videos.

    Args:
        model: already initialised.
        train: labelled videos to train on.
        val: labelled videos of other people, to choose the epoch with.
        config: the recipe of this model.
        seed: of the order of the videos, clips and dropout.
    """

    def __init__(self, model: VideoModel, train: Examples, val: Examples, config: VideosConfig, seed: int) -> None:
        undefined = (
            f"{config.select} is undefined on the videos that choose the epoch (none shows A/H); "
            "set videos.select to AVGF1 or add val videos with A/H"
        )
        course = Course(config.epochs, config.patience, config.select, config.clip)
        super().__init__(model, course, undefined, "lower videos.lr or set videos.precision to fp32")
        self.train, self.val, self.config, self.seed = train, val, config, seed
        self.steps = math.ceil(len(train.answers) / config.batch)

    def optimiser(self) -> torch.optim.Optimizer:
        """SGD or AdamW over what is trained."""
        return make_optimiser(self.network, self.config)

    def rate(self, step: int) -> float:
        """By steps."""
        return cosine_after_warm_up(self.config, step // self.steps + (step % self.steps + 1) / self.steps)

    def begin_epoch(self, epoch: int) -> None:
        """Seed dropout."""
        torch.manual_seed(seed_for("videos", self.seed, "epoch", epoch))

    def batches(self, epoch: int) -> Iterator[VideoStep]:
        """Steps of ``batch`` videos, in the order of the epoch, each in passes of ``at_once``."""
        config = self.config
        count = len(self.train.answers)
        order = np.random.default_rng(seed_for("videos", self.seed, "order", epoch)).permutation(count)
        steps = [order[first : first + config.batch] for first in range(0, count, config.batch)]
        parts = [[step[i : i + config.at_once] for i in range(0, len(step), config.at_once)] for step in steps]
        stream = self._ahead([part for step in parts for part in step], epoch)
        for step, own in zip(steps, parts, strict=True):
            yield VideoStep(len(step), islice(stream, len(own)))

    def backward(self, batch: VideoStep, meter: Meter) -> None:
        """The gradients of the passes add up to those of the mean loss over the step's videos."""
        for inputs, label in meter.timed(batch.passes):
            with autocast(self.device, self.config.precision):
                loss = self.network.loss(inputs, smoothed(label, self.config.label_smoothing))
            (loss * (len(label) / batch.videos)).backward()  # type: ignore[no-untyped-call]
            meter.add(loss.detach() * len(label), len(label))

    def validate(self, network: VideoModel) -> dict[str, float]:
        """Loss and scores over the validation videos."""
        return validate(network, self.val, self.config)

    def _ahead(self, parts: Sequence[npt.NDArray[np.int64]], epoch: int) -> Iterator[tuple[tuple[Any, ...], Tensor]]:
        """Inputs and labels of each part; those of the next are made while the model works on one."""

        def made(part: npt.NDArray[np.int64]) -> tuple[Any, ...]:
            videos = [self.train.answers[i].video for i in part]
            draws = [np.random.default_rng(seed_for("videos", self.seed, "draw", epoch, video)) for video in videos]
            return self.train.batch([int(i) for i in part], draws)

        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(made, parts[0])
            for part, following in zip(parts, [*parts[1:], None], strict=True):
                inputs = waiting.result()
                if following is not None:
                    waiting = pool.submit(made, following)
                label = torch.tensor([float(self.train.answers[i].label) for i in part], device=self.device)
                yield on_device(inputs, self.device), label


def smoothed(label: Tensor, smoothing: float) -> Tensor:
    """Labels 0 or 1, float32 [B], moved towards a half by half of the smoothing."""
    return label * (1 - smoothing) + smoothing / 2


@torch.inference_mode()
def video_logits(model: VideoModel, examples: Examples, at_once: int) -> Logits:
    """Logits float32 [n, 2] of n videos, in fp32 and evaluation mode, on the model's device."""
    model.eval()
    device = next(model.parameters()).device
    count = len(examples.answers)
    numbers = [range(first, min(first + at_once, count)) for first in range(0, count, at_once)]
    found = [model(*on_device(examples.batch(part, None), device)).float().cpu().numpy() for part in numbers]
    return np.concatenate([np.zeros((0, 2), np.float32), *found])


def validate(model: VideoModel, choose: Examples, config: VideosConfig) -> dict[str, float]:
    """Loss and scores over labelled videos; a score without positives is nan."""
    chance = probability(video_logits(model, choose, config.at_once))
    label = np.array([answer.label for answer in choose.answers], np.uint8)
    own = np.where(label == 1, chance, 1 - chance)
    return {
        "val_loss": float(-np.log(np.maximum(own, 1e-12)).mean()),
        "val_AP": average_precision(chance, label),
        "val_AP_paper": average_precision_paper(chance, label),
        "val_AVGF1": avgf1(chance, label),
    }
