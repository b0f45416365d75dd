"""The training loop of every frame-level model, which a killed job continues bit by bit.

Recipe (2026 paper, training details): cross entropy on every frame, SGD with Nesterov momentum .9,
learning rate times .9 every 50 epochs down to 1e-7, the epoch with the best validation score kept.
Of equal scores the earlier epoch is kept (the released code keeps the later one: under its selection
score a saturated model then wins over an equally good, better calibrated one).
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from waver.config.sections import TrainConfig
from waver.device import autocast, torch_device
from waver.errors import WaverError
from waver.metrics import average_precision, average_precision_paper, avgf1
from waver.provenance import seed_for
from waver.store.lock import exclusive
from waver.training.checkpoint import Progress, resume, save_progress
from waver.training.corpus import VideoSample
from waver.training.losses import class_weights, frame_cross_entropy
from waver.training.predict import probability, video_logits
from waver.training.windows import Batch, batches, epoch_order, repeat_last, windows_of

log = logging.getLogger(__name__)

LEAST_LR = 1e-7


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        config: the recipe.
        seed: decides initial weights, the order of windows and the dropout.
        key: what the training is made from; a state file with another key is ignored.
        history: JSON lines, one an epoch.
        state: file from which a killed job goes on; the caller forgets it when all is written.
    """

    config: TrainConfig
    seed: int
    key: str
    history: Path
    state: Path

    @property
    def lock(self) -> Path:
        """Held while the job trains, so that two copies of it never write together."""
        return Path(f"{self.state}.lock")

    def forget(self) -> None:
        """Remove what a finished job needs no more."""
        self.state.unlink(missing_ok=True)
        self.lock.unlink(missing_ok=True)


def learning_rate(config: TrainConfig, epoch: int) -> float:
    """Learning rate of an epoch, counted from 1.

    sgd: times .9 after every 50 epochs (the papers'). adamw: half a cosine over ``config.epochs``,
    without warm-up. Both end no lower than 1e-7.
    """
    if config.optimiser == "sgd":
        return max(config.lr * 0.9 ** ((epoch - 1) // 50), LEAST_LR)
    share = (epoch - 1) / config.epochs
    return LEAST_LR + max(config.lr - LEAST_LR, 0) * (1 + math.cos(math.pi * share)) / 2


def make_optimiser(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum .9, or AdamW; weight decay on every parameter, as the papers do."""
    if config.optimiser == "sgd":
        return torch.optim.SGD(
            model.parameters(), lr=config.lr, momentum=0.9, nesterov=True, weight_decay=config.weight_decay
        )
    return torch.optim.AdamW(model.parameters(), lr=config.lr, weight_decay=config.weight_decay)


def train(model: nn.Module, train: Sequence[VideoSample], val: Sequence[VideoSample], job: Job) -> Progress:
    """Train a model and leave it, on the CPU, as it was after its best epoch.

    Args:
        model: network to train, already initialised.
        train: normalised, labelled videos to learn from.
        val: normalised, labelled videos to choose the epoch with.
        job: recipe, seed and files.

    Raises:
        WaverError: the selection score is undefined on ``val``, or the loss is not finite.
    """
    config = job.config
    if config.padding == "repeat":
        train = [repeat_last(sample, config.window) for sample in train]
        val = [repeat_last(sample, config.window) for sample in val]
    model.to(torch_device())
    optimiser = make_optimiser(model, config)
    # a copy of this job may still train on a node that Slurm lost: wait for it, and go on from its last epoch
    with exclusive(job.lock):
        progress = resume(job.state, job.key, model, optimiser)
        if progress.epoch:
            log.info("going on after epoch %d", progress.epoch)
        _write_history(job.history, progress.history)
        while not _finished(progress, config):
            record = _epoch(model, optimiser, train, val, job, progress.epoch + 1)
            _take(progress, record, model, config)
            save_progress(job.state, job.key, progress, model, optimiser)
            _append_history(job.history, progress.history[-1])
            _report(progress, config)
    model.load_state_dict(progress.best_state)
    model.to("cpu").eval()
    return progress


def _finished(progress: Progress, config: TrainConfig) -> bool:
    return progress.epoch >= config.epochs or progress.epoch - progress.best_epoch >= config.patience


def _epoch(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    train: Sequence[VideoSample],
    val: Sequence[VideoSample],
    job: Job,
    epoch: int,
) -> dict[str, Any]:
    started = time.perf_counter()
    # a seed of its own for each epoch: a resumed job needs no state of the random numbers
    torch.manual_seed(seed_for("train", job.seed, "epoch", epoch))
    lr = learning_rate(job.config, epoch)
    for group in optimiser.param_groups:
        group["lr"] = lr
    loss, wait_s = _train_epoch(model, optimiser, train, job, epoch)
    if not math.isfinite(loss):
        raise WaverError(f"the training loss is {loss} in epoch {epoch}; lower train.lr or set train.precision to fp32")
    scores = validate(model, val, job.config)
    seconds = time.perf_counter() - started
    return {"epoch": epoch, "train_loss": loss, **scores, "lr": lr, "seconds": seconds, "data_wait_s": wait_s}


def _train_epoch(
    model: nn.Module, optimiser: torch.optim.Optimizer, train: Sequence[VideoSample], job: Job, epoch: int
) -> tuple[float, float]:
    """Mean loss over the frames of all windows, and seconds spent waiting for data."""
    model.train()
    config, device = job.config, _device(model)
    weight = class_weights(train).to(device) if config.class_weight else None
    windows = windows_of([sample.frames for sample in train], config.window, config.hop)
    stream = batches(train, windows, config.batch, epoch_order(len(windows), job.seed, epoch))
    total, frames, wait_s = torch.zeros((), device=device), torch.zeros((), device=device), 0.0
    while True:
        asked = time.perf_counter()
        batch = next(stream, None)
        if batch is None:
            return float(total / frames), wait_s
        batch = batch.to(device)
        wait_s += time.perf_counter() - asked
        loss = _step(model, optimiser, batch, config.precision, weight)
        count = batch.mask.sum()
        total += loss * count
        frames += count


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def _step(
    model: nn.Module, optimiser: torch.optim.Optimizer, batch: Batch, precision: str, weight: Tensor | None
) -> Tensor:
    optimiser.zero_grad(set_to_none=True)
    with autocast(batch.mask.device, precision):
        own = getattr(model, "loss", None)
        if own is None:
            loss = frame_cross_entropy(model(batch.streams, batch.mask), batch.label, batch.mask, weight)
        else:
            loss = own(batch.streams, batch.label, batch.mask, weight)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return loss.detach()


def validate(model: nn.Module, val: Sequence[VideoSample], config: TrainConfig) -> dict[str, float]:
    """Loss and scores over the pooled frames of labelled videos; a score without positives is nan."""
    model.eval()
    logits = np.concatenate([video_logits(model, sample, config.window, config.hop, _device(model)) for sample in val])
    label = np.concatenate([sample.label for sample in val])
    chance = probability(logits)
    own = np.where(label == 1, chance, 1 - chance)
    return {
        "val_loss": float(-np.log(np.maximum(own, 1e-12)).mean()),
        "val_AP": average_precision(chance, label),
        "val_AP_paper": average_precision_paper(chance, label),
        "val_AVGF1": avgf1(chance, label),
    }


def _take(progress: Progress, record: dict[str, Any], model: nn.Module, config: TrainConfig) -> None:
    score = record[f"val_{config.select}"]
    if math.isnan(score):
        raise WaverError(
            f"{config.select} is undefined on the val split (it has no frame with A/H); "
            "set train.select to AVGF1 or add val videos with A/H"
        )
    progress.epoch = record["epoch"]
    progress.history.append({k: None if isinstance(v, float) and math.isnan(v) else v for k, v in record.items()})
    if score > progress.best_score:
        progress.best_epoch, progress.best_score = progress.epoch, score
        progress.best_state = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


def _write_history(path: Path, history: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in history))


def _append_history(path: Path, record: dict[str, Any]) -> None:
    with open(path, "a") as stream:
        stream.write(json.dumps(record) + "\n")


def _report(progress: Progress, config: TrainConfig) -> None:
    last, spent_s = progress.history[-1], sum(record["seconds"] for record in progress.history)
    log.info(
        "epoch %d of at most %d: loss %.4f, val %s %.4f (best %.4f in epoch %d), %.1f s, %.0f %% of it waiting for "
        "data, at most %.1f min left",
        progress.epoch,
        config.epochs,
        last["train_loss"],
        config.select,
        last[f"val_{config.select}"],
        progress.best_score,
        progress.best_epoch,
        last["seconds"],
        100 * last["data_wait_s"] / last["seconds"],
        (config.epochs - progress.epoch) * spent_s / progress.epoch / 60,
    )
