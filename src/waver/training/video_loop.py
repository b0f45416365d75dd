"""The training loop of video-level models, which a killed job continues bit by bit.

Every draw follows from the seed, the epoch and the video, so that nothing but weights, momenta and the history
has to be kept between epochs. Of equal validation scores the earlier epoch is kept.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from waver.config.videos import VideosConfig
from waver.device import autocast, torch_device
from waver.errors import WaverError
from waver.metrics import average_precision, average_precision_paper, avgf1
from waver.provenance import seed_for
from waver.training.archive import Progress, resume, save_progress, write_history
from waver.training.predict import probability
from waver.training.video_data import Examples, on_device

log = logging.getLogger(__name__)

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True)
class VideoJob:
    """One training of a video-level model.

    Attributes:
        config: the recipe of this model.
        seed: decides initial weights, order of videos, clips, dropout.
        key: what the training is made from; a state file with another key is ignored.
        history: JSON lines, one an epoch.
        state: file from which a killed job goes on; the caller removes it when all is written.
    """

    config: VideosConfig
    seed: int
    key: str
    history: Path
    state: Path


def rate(config: VideosConfig, epochs: float) -> float:
    """Learning rate after so many epochs: up on a line during the warm-up, then down to 0 on half a cosine."""
    if epochs < config.warm_up:
        return config.lr * epochs / config.warm_up
    share = (epochs - config.warm_up) / max(config.epochs - config.warm_up, 1e-9)
    return config.lr * (1 + math.cos(math.pi * min(share, 1.0))) / 2


def make_optimiser(model: nn.Module, config: VideosConfig) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum .9, or AdamW, over what may learn; vectors do not decay.

    A model that begins with weights of others may tell these apart (``body_parameters``), to learn them slower.
    """
    body = {id(parameter) for parameter in getattr(model, "body_parameters", tuple)()}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        share = config.body_rate if id(parameter) in body else 1.0
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        if parameter.requires_grad:
            groups.setdefault((share, decay), []).append(parameter)
    given = [{"params": own, "share": share, "weight_decay": decay} for (share, decay), own in groups.items()]
    if config.optimiser == "sgd":
        return torch.optim.SGD(given, lr=config.lr, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(given, lr=config.lr)


def train_epochs(model: nn.Module, learn: Examples, choose: Examples, job: VideoJob) -> Progress:
    """Train a model and leave it, on the CPU, as it was after its best epoch.

    The caller holds a lock for the job's files.

    Args:
        model: already initialised.
        learn: labelled videos to learn from.
        choose: labelled videos of other people, to choose the epoch with.
        job: recipe, seed and files.

    Raises:
        WaverError: the selection score is undefined on ``choose``, or the loss is not finite.
    """
    model.to(torch_device())
    optimiser = make_optimiser(model, job.config)
    progress = resume(job.state, job.key, model, optimiser)
    if progress.epoch:
        log.info("going on after epoch %d", progress.epoch)
    write_history(job.history, progress.history)
    while not progress.finished(job.config.epochs, job.config.patience):
        record = _epoch(model, optimiser, learn, choose, job, progress.epoch + 1)
        undefined = (
            f"{job.config.select} is undefined on the videos that choose the epoch (none shows A/H); "
            "set videos.select to AVGF1 or add val videos with A/H"
        )
        progress.take(record, job.config.select, model.state_dict(), undefined)
        save_progress(job.state, job.key, progress, model, optimiser)
        write_history(job.history, progress.history)
        _report(progress, job.config)
    model.load_state_dict(progress.best_state)
    model.to("cpu").eval()
    return progress


def _epoch(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    learn: Examples,
    choose: Examples,
    job: VideoJob,
    epoch: int,
) -> dict[str, Any]:
    started = time.perf_counter()
    torch.manual_seed(seed_for("videos", job.seed, "epoch", epoch))
    loss, wait_s = _train_epoch(model, optimiser, learn, job, epoch)
    if not math.isfinite(loss):
        raise WaverError(
            f"the training loss is {loss} in epoch {epoch}; lower videos.lr or set videos.precision to fp32"
        )
    scores = validate(model, choose, job.config)
    seconds = time.perf_counter() - started
    lr = rate(job.config, epoch)
    return {"epoch": epoch, "train_loss": loss, **scores, "lr": lr, "seconds": seconds, "data_wait_s": wait_s}


def _train_epoch(
    model: nn.Module, optimiser: torch.optim.Optimizer, learn: Examples, job: VideoJob, epoch: int
) -> tuple[float, float]:
    """Mean loss over the videos, and seconds spent waiting for data."""
    model.train()
    config, device = job.config, torch_device()
    order = np.random.default_rng(seed_for("videos", job.seed, "order", epoch)).permutation(len(learn.answers))
    steps = [order[first : first + config.batch] for first in range(0, len(order), config.batch)]
    parts = [step[first : first + config.at_once] for step in steps for first in range(0, len(step), config.at_once)]
    stream = _ahead(learn, parts, job.seed, epoch)
    total, wait_s = torch.zeros((), device=device), 0.0
    for number, step in enumerate(steps):
        for group in optimiser.param_groups:
            group["lr"] = group["share"] * rate(config, epoch - 1 + (number + 1) / len(steps))
        optimiser.zero_grad(set_to_none=True)
        for first in range(0, len(step), config.at_once):
            asked = time.perf_counter()
            inputs = on_device(next(stream), device)
            wait_s += time.perf_counter() - asked
            part = step[first : first + config.at_once]
            label = torch.tensor([float(learn.answers[i].label) for i in part], device=device)
            with autocast(device, config.precision):
                loss = video_loss(model, inputs, label, config.label_smoothing)
            (loss * (len(part) / len(step))).backward()  # type: ignore[no-untyped-call]
            total += loss.detach() * len(part)
        nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimiser.step()
    return float(total / len(order)), wait_s


def _ahead(learn: Examples, parts: Sequence[npt.NDArray[np.int64]], seed: int, epoch: int) -> Iterator[tuple[Any, ...]]:
    """Inputs of each part; those of the next are made while the model works on one."""

    def made(part: npt.NDArray[np.int64]) -> tuple[Any, ...]:
        videos = [learn.answers[i].video for i in part]
        draws = [np.random.default_rng(seed_for("videos", seed, "draw", epoch, video)) for video in videos]
        return learn.batch([int(i) for i in part], draws)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(made, parts[0])
        for following in parts[1:]:
            ready, waiting = waiting.result(), pool.submit(made, following)
            yield ready
        yield waiting.result()


def video_loss(model: nn.Module, inputs: tuple[Any, ...], label: Tensor, smoothing: float) -> Tensor:
    """The model's own loss, or the cross entropy of its logits; label float32 [B], 0 or 1."""
    soft = label * (1 - smoothing) + smoothing / 2
    own = getattr(model, "loss", None)
    if own is not None:
        loss: Tensor = own(*inputs, soft)
        return loss
    return cross_entropy(model(*inputs).float(), torch.stack([1 - soft, soft], dim=1))


@torch.inference_mode()
def video_logits(model: nn.Module, examples: Examples, at_once: int) -> Logits:
    """Logits float32 [n, 2] of n videos, in fp32 and evaluation mode, on the model's device."""
    model.eval()
    device = next(model.parameters()).device
    count = len(examples.answers)
    numbers = [range(first, min(first + at_once, count)) for first in range(0, count, at_once)]
    found = [model(*on_device(examples.batch(part, None), device)).float().cpu().numpy() for part in numbers]
    return np.concatenate([np.zeros((0, 2), np.float32), *found])


def validate(model: nn.Module, choose: Examples, config: VideosConfig) -> dict[str, float]:
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


def _report(progress: Progress, config: VideosConfig) -> None:
    waiting = f"{progress.history[-1]['data_wait_s']:.1f} s of them"
    log.info("%s", progress.told(config.epochs, config.select, waiting))
