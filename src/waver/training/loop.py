"""The training loop of every frame-level model, which a killed job continues bit by bit.

Recipe (2026 paper, training details): cross entropy on every frame, SGD with Nesterov momentum .9,
learning rate times .9 every 50 epochs down to 1e-7, the epoch with the best validation score kept.
Of equal scores the earlier epoch is kept (the released code keeps the later one: under its selection
score a saturated model then wins over an equally good, better calibrated one).

What the config may add, and by default does not: a rate that warms up and changes with the steps, clipped
gradients, a moving average of the weights in place of the last ones, an F1 term, fewer windows without A/H.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from waver.config.training import TrainConfig
from waver.device import autocast, torch_device
from waver.errors import WaverError
from waver.metrics import average_precision, average_precision_paper, avgf1
from waver.provenance import seed_for
from waver.training.archive import Progress, resume, save_progress, write_history
from waver.training.average import MovingAverage
from waver.training.corpus import VideoSample
from waver.training.losses import class_weights, frame_loss
from waver.training.predict import probability, video_logits
from waver.training.schedule import LEAST_LR, Pace, learning_rate, make_optimiser
from waver.training.windows import Batch, Window, batches, drawn, epoch_order, in_steps, repeat_last, windows_of

__all__ = ["LEAST_LR", "Job", "learning_rate", "make_optimiser", "train", "validate"]

log = logging.getLogger(__name__)

Board = Callable[[Sequence[dict[str, Any]]], AbstractContextManager[Callable[[dict[str, Any]], None]]]
"""Opens what draws a training: the records of the epochs done before -> what takes the record of each that follows."""


def no_board(past: Sequence[dict[str, Any]]) -> AbstractContextManager[Callable[[dict[str, Any]], None]]:
    """Draws nothing."""
    return nullcontext(lambda record: None)


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        config: the recipe.
        seed: decides initial weights, the order of windows and the dropout.
        key: what the training is made from; a state file with another key is ignored.
        history: JSON lines, one an epoch; no other job reads it before the training ends.
        state: file from which a killed job goes on; the caller removes it when all is written.
        board: what draws the training; the loop knows none, so that no edit of it trains anything again.
    """

    config: TrainConfig
    seed: int
    key: str
    history: Path
    state: Path
    board: Board = no_board


@dataclass(frozen=True)
class _Learner:
    """What changes in training."""

    model: nn.Module
    optimiser: torch.optim.Optimizer
    average: MovingAverage | None

    @property
    def weights(self) -> dict[str, Tensor]:
        """Those that are judged and kept."""
        return self.model.state_dict() if self.average is None else self.average.weights()

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device


def train(model: nn.Module, train: Sequence[VideoSample], val: Sequence[VideoSample], job: Job) -> Progress:
    """Train a model and leave it, on the CPU, as it was after its best epoch.

    The caller holds a lock for the job's files.

    Args:
        model: network to train, already initialised.
        train: normalised, labelled videos to learn from, thinned to steps.
        val: normalised, labelled videos to choose the epoch with, likewise.
        job: recipe, seed and files.

    Raises:
        WaverError: the selection score is undefined on ``val``, or the loss is not finite.
    """
    config = job.config
    if config.padding == "repeat":
        window_steps, _ = in_steps(config)
        train = [repeat_last(sample, window_steps) for sample in train]
        val = [repeat_last(sample, window_steps) for sample in val]
    model.to(torch_device())
    optimiser = make_optimiser(model, config)
    average = MovingAverage(model, config.ema) if config.ema else None
    learner = _Learner(model, optimiser, average)
    progress = resume(job.state, job.key, model, optimiser, average)
    if progress.epoch:
        log.info("going on after epoch %d", progress.epoch)
    write_history(job.history, progress.history)
    with job.board(progress.history) as draw:
        while not progress.finished(config.epochs, config.patience):
            record = _epoch(learner, train, val, job, progress.epoch + 1)
            undefined = (
                f"{config.select} is undefined on the val split (it has no frame with A/H); "
                "set train.select to AVGF1 or add val videos with A/H"
            )
            judged = not getattr(model, "warming", False)
            progress.take(record, config.select, learner.weights, undefined, judged)
            save_progress(job.state, job.key, progress, model, optimiser, average)
            write_history(job.history, progress.history)
            draw(progress.history[-1])
            _report(progress, config)
    model.load_state_dict(progress.best_state)
    model.to("cpu").eval()
    return progress


def _epoch(
    learner: _Learner, train: Sequence[VideoSample], val: Sequence[VideoSample], job: Job, epoch: int
) -> dict[str, Any]:
    started = time.perf_counter()
    # a seed of its own for each epoch: a resumed job needs no state of the random numbers
    torch.manual_seed(seed_for("train", job.seed, "epoch", epoch))
    told = _train_epoch(learner, train, job, epoch)
    loss = told["train_loss"]
    if not math.isfinite(loss):
        raise WaverError(f"the training loss is {loss} in epoch {epoch}; lower train.lr or set train.precision to fp32")
    if learner.average is None:
        scores = validate(learner.model, val, job.config)
    else:
        with learner.average.shown(learner.model):
            scores = validate(learner.model, val, job.config)
    seconds = time.perf_counter() - started
    return {
        "epoch": epoch, "train_loss": loss, **scores, "lr": told["lr"], "seconds": seconds,
        "data_wait_s": told["data_wait_s"],
    }  # fmt: skip


def _train_epoch(learner: _Learner, train: Sequence[VideoSample], job: Job, epoch: int) -> dict[str, float]:
    """Mean loss over the frames of all windows, the last learning rate, and seconds spent waiting for data."""
    learner.model.train()
    if hasattr(learner.model, "begin_epoch"):
        learner.model.begin_epoch(epoch)  # type: ignore[operator]
    config, device = job.config, learner.device
    weight = class_weights(train).to(device) if config.class_weight else None
    windows = windows_of([sample.frames for sample in train], *in_steps(config))
    order = _order(train, windows, job, epoch)
    pace = Pace(config, epoch, math.ceil(len(order) / config.batch))
    stream = batches(train, windows, config.batch, order)
    total, frames, wait_s = torch.zeros((), device=device), torch.zeros((), device=device), 0.0
    step, lr = 0, math.nan
    while True:
        asked = time.perf_counter()
        batch = next(stream, None)
        if batch is None:
            return {"train_loss": float(total / frames), "lr": lr, "data_wait_s": wait_s}
        batch = batch.to(device)
        wait_s += time.perf_counter() - asked
        lr = pace.set(learner.optimiser, step)
        loss = _step(learner, batch, config, weight)
        count = batch.mask.sum()
        total += loss * count
        frames += count
        step += 1


def _order(train: Sequence[VideoSample], windows: Sequence[Window], job: Job, epoch: int) -> npt.NDArray[np.int64]:
    """Numbers of the windows of an epoch, in the order of training."""
    ratio = job.config.undersample
    if not ratio:
        return epoch_order(len(windows), job.seed, epoch)
    positive = np.array([train[window.sample].label[window.start : window.stop].any() for window in windows])
    kept = drawn(positive, ratio, job.seed, epoch)
    return kept[epoch_order(len(kept), job.seed, epoch)]


def _step(learner: _Learner, batch: Batch, config: TrainConfig, weight: Tensor | None) -> Tensor:
    model, optimiser = learner.model, learner.optimiser
    optimiser.zero_grad(set_to_none=True)
    with autocast(batch.mask.device, config.precision):
        own = getattr(model, "loss", None)
        if own is None:
            logits = model(batch.streams, batch.mask)
            loss = frame_loss(logits, batch.label, batch.mask, weight, config.f1_share)
        else:
            loss = own(batch.streams, batch.label, batch.mask, weight, batch.affect)
    loss.backward()  # type: ignore[no-untyped-call]
    if config.clip:
        nn.utils.clip_grad_norm_(model.parameters(), config.clip)
    optimiser.step()
    if learner.average is not None:
        learner.average.update(model)
    return loss.detach()


def validate(model: nn.Module, val: Sequence[VideoSample], config: TrainConfig) -> dict[str, float]:
    """Loss and scores over the pooled steps of labelled videos; a score without positives is nan."""
    model.eval()
    device = next(model.parameters()).device
    logits = np.concatenate([video_logits(model, sample, *in_steps(config), device) for sample in val])
    label = np.concatenate([sample.label for sample in val])
    chance = probability(logits)
    own = np.where(label == 1, chance, 1 - chance)
    precision, f1 = average_precision(chance, label), avgf1(chance, label)
    return {
        "val_loss": float(-np.log(np.maximum(own, 1e-12)).mean()),
        "val_AP": precision,
        "val_AP_paper": average_precision_paper(chance, label),
        "val_AVGF1": f1,
        "val_AVGF1_AP": (f1 + precision) / 2,
    }


def _report(progress: Progress, config: TrainConfig) -> None:
    last = progress.history[-1]
    waiting = f"{100 * last['data_wait_s'] / last['seconds']:.0f} % of it"
    log.info("%s", progress.told(config.epochs, config.select, waiting))
