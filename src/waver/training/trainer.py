"""The one training loop: epochs, resuming, the choice of the epoch, history and log, clipping, averaged weights.

A kind of training (frames, videos, images, answers) is a subclass of ``Training``, in ``training.py`` of its folder:
it says what the batches of an epoch are, what the gradients of a step come from and how the network is validated. A
new kind is one more such subclass; the loop stays as it is. Every draw of an epoch follows from the seed and the
epoch, so that a killed job continues bit by bit with weights, momenta and the history alone.

Of equal validation scores the earlier epoch is kept (the released code keeps the later one: under its selection score
a saturated model then wins over an equally good, better calibrated one).
"""

from __future__ import annotations

import logging
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel

from waver.device import torch_device
from waver.errors import WaverError
from waver.training.checkpoint import Progress, resume, save_progress, write_history
from waver.training.ema import ema_of
from waver.training.lr_schedule import lr_schedule

log = logging.getLogger(__name__)

LOG_EVERY_S = 60.0
"""Between two lines of the log within a long epoch."""

ScalarLog = Callable[[Sequence[dict[str, Any]]], AbstractContextManager[Callable[[dict[str, Any]], None]]]
"""Opens what draws a training: the records of the epochs done before -> what takes the record of each that follows."""
Recipe = TypeVar("Recipe")
Network = TypeVar("Network", bound=nn.Module)
Batch = TypeVar("Batch")
Item = TypeVar("Item")


def no_scalar_log(past: Sequence[dict[str, Any]]) -> AbstractContextManager[Callable[[dict[str, Any]], None]]:
    """Draws nothing."""
    return nullcontext(lambda record: None)


@dataclass(frozen=True)
class Job(Generic[Recipe]):
    """One training and its files.

    Attributes:
        config: the recipe, of the section of its kind.
        seed: decides initial weights, the order of the data, and dropout.
        key: what the training is made from; a state file with another key is ignored.
        history: JSON lines, one an epoch; no other job reads it before the training ends.
        state: file from which a killed job goes on; the caller removes it when all is written.
        scalar_log: what draws the training; the loop knows none, so that no edit of it trains anything again.
    """

    config: Recipe
    seed: int
    key: str
    history: Path
    state: Path
    scalar_log: ScalarLog = no_scalar_log


@dataclass(frozen=True)
class Course:
    """How long a training lasts, which of its epochs is kept, and how its steps are tamed.

    Attributes:
        epochs: the most.
        patience: epochs without a better validation score before it ends.
        select: name of the score that chooses the epoch, the higher the better; empty: the last epoch is kept.
        clip: maximum norm of the gradient of a step; 0: no limit.
        ema: decay of the moving average of the weights, which is validated and kept; 0: none.
    """

    epochs: int
    patience: int
    select: str
    clip: float = 0.0
    ema: float = 0.0


class Meter:
    """Sums of one epoch.

    Attributes:
        loss: of all items.
        count: items; the mean loss is over these.
        wait_s: seconds spent waiting for data.
    """

    def __init__(self, device: torch.device) -> None:
        self.loss = torch.zeros((), device=device)
        self.count: Tensor | int = 0
        self.wait_s = 0.0

    def add(self, loss: Tensor, count: Tensor | int) -> None:
        """Add the summed loss of some items, and their number; they are added in float32, in the order of the calls."""
        self.loss += loss
        self.count = self.count + count

    def timed(self, stream: Iterable[Item]) -> Iterator[Item]:
        """The items of a stream; the time that each takes to come is waiting."""
        items = iter(stream)
        while True:
            started = time.perf_counter()
            try:
                item = next(items)
            except StopIteration:
                return
            finally:
                self.wait_s += time.perf_counter() - started
            yield item

    @property
    def mean(self) -> float:
        """Mean loss over the items."""
        return float(self.loss / self.count)


class Training(ABC, Generic[Network, Batch]):
    """A kind of training, as the loop sees it.

    Attributes:
        network: what is trained, already initialised.
        course: how long, and what is kept.
        undefined: error where the score that chooses the epoch is not a number: a sentence with its remedy.
        diverged: remedy of a loss that is not finite.
        steps: of every epoch.
        device: where it is trained; its validation leaves it there.
        counted: column of the history for the number of items that the loss of an epoch is the mean of; empty: none.
    """

    network: Network
    course: Course
    undefined: str
    diverged: str
    steps: int
    device: torch.device
    counted: ClassVar[str] = ""

    def __init__(self, network: Network, course: Course, undefined: str, diverged: str) -> None:
        self.network, self.course = network, course
        self.undefined, self.diverged = undefined, diverged
        self.device = torch_device()

    @abstractmethod
    def optimiser(self) -> torch.optim.Optimizer:
        """The optimiser of the network, which is on its device; a group's ``factor`` multiplies its rate."""

    @abstractmethod
    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0 over all epochs."""

    @abstractmethod
    def begin_epoch(self, epoch: int) -> None:
        """Called before an epoch, counted from 1, with the network in training mode: seeds what torch draws in it."""

    @abstractmethod
    def batches(self, epoch: int) -> Iterator[Batch]:
        """What each step of an epoch is made from, on the device."""

    @abstractmethod
    def backward(self, batch: Batch, meter: Meter) -> None:
        """The gradients of one step, by one forward pass or by several, whose losses the meter is given."""

    @abstractmethod
    def validate(self, network: Network) -> dict[str, float]:
        """Validation scores, ``val_<name>``, of the network or of its average; empty where the last epoch is kept."""

    @property
    def warming(self) -> bool:
        """Whether the epoch just done did not learn what is scored, and is not to be chosen; by default not."""
        return False


@dataclass(frozen=True)
class _Learner(Generic[Network]):
    """What changes in training."""

    network: Network
    optimiser: torch.optim.Optimizer
    schedule: LRScheduler
    ema: AveragedModel | None

    @property
    def evaluated(self) -> Network:
        """The network that is validated and kept: with the averaged weights, where there are any."""
        return self.network if self.ema is None else cast(Network, self.ema.module)

    @property
    def parts(self) -> dict[str, Any]:
        """What a state file keeps of it."""
        parts = {"model": self.network, "optimiser": self.optimiser, "lr_schedule": self.schedule}
        return parts if self.ema is None else {**parts, "ema": self.ema}


def train(training: Training[Any, Any], job: Job[Any] | None = None) -> Progress:
    """Train a network and leave it, on the CPU and in evaluation mode, as it was after its best epoch.

    The caller holds a lock for the job's files.

    Args:
        training: network, data and recipe.
        job: files and key; None: nothing is kept on disk, and a killed job begins anew.

    Raises:
        WaverError: the score that chooses the epoch is undefined, or the loss is not finite.
    """
    course, network = training.course, training.network
    learner = _learner(training)
    progress = resume(job.state, job.key, learner.parts) if job else Progress()
    if progress.epoch:
        log.info("going on after epoch %d", progress.epoch)
    if job:
        write_history(job.history, progress.history)
    with (job.scalar_log if job else no_scalar_log)(progress.history) as draw:
        while not progress.finished(course.epochs, course.patience):
            record = _epoch(learner, training, progress.epoch + 1)
            weights = learner.evaluated.state_dict()
            progress.take(record, course.select, weights, training.undefined, not training.warming)
            if job:
                save_progress(job.state, job.key, progress, learner.parts)
                write_history(job.history, progress.history)
            draw(progress.history[-1])
            log.info("%s", progress.summary(course.epochs, course.select))
    network.load_state_dict(progress.best_state)
    network.to("cpu").eval()
    return progress


def _learner(training: Training[Network, Any]) -> _Learner[Network]:
    network = training.network.to(training.device)
    optimiser = training.optimiser()
    ema = ema_of(network, training.course.ema) if training.course.ema else None
    return _Learner(network, optimiser, lr_schedule(optimiser, training.rate), ema)


def _epoch(learner: _Learner[Any], training: Training[Any, Any], epoch: int) -> dict[str, Any]:
    """Train and validate; the record of the epoch."""
    started = time.perf_counter()
    meter = _train_epoch(learner, training, epoch)
    loss = meter.mean
    if not math.isfinite(loss):
        raise WaverError(f"the training loss is {loss} in epoch {epoch}; {training.diverged}")
    scores = training.validate(learner.evaluated)
    counted = {training.counted: int(meter.count)} if training.counted else {}
    lr = training.rate(learner.schedule.last_epoch - 1)  # of the last step
    seconds = time.perf_counter() - started
    spent = {"seconds": seconds, "data_wait_s": meter.wait_s}
    return {"epoch": epoch, "train_loss": loss, **scores, "lr": lr, **counted, **spent}


def _train_epoch(learner: _Learner[Any], training: Training[Any, Any], epoch: int) -> Meter:
    learner.network.train()
    training.begin_epoch(epoch)
    meter, steps = Meter(training.device), training.steps
    begun = logged = time.perf_counter()
    for step, batch in enumerate(meter.timed(training.batches(epoch)), start=1):
        learner.optimiser.zero_grad(set_to_none=True)
        training.backward(batch, meter)
        _step(learner, training.course.clip)
        if time.perf_counter() - logged > LOG_EVERY_S:
            logged = time.perf_counter()
            left_min = (logged - begun) / step * (steps - step) / 60
            log.info("%d of %d steps of this epoch, %.1f min of it left", step, steps, left_min)
    return meter


def _step(learner: _Learner[Any], clip: float) -> None:
    """One step of the optimiser by the gradients that are there."""
    if clip:
        nn.utils.clip_grad_norm_(learner.network.parameters(), clip)
    learner.optimiser.step()
    learner.schedule.step()
    if learner.ema is not None:
        learner.ema.update_parameters(learner.network)
