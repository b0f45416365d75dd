"""The training loop of image backbones, for emotions and for frames, which a killed job continues bit by bit.

Recipe (2026 paper, training details): cross entropy, SGD with Nesterov momentum .9, learning rate times .9 every
50 epochs down to 1e-7, ten times the rate for layers that begin at random, the epoch with the best validation score
kept, of equal ones the first. What the config may change, and by default does not: the rate on half a cosine,
clipped gradients, no weight decay on vectors.
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
from torch.nn import functional

from waver.config.backbone import ImageRecipe
from waver.device import autocast, torch_device
from waver.errors import WaverError
from waver.features.face_pixels import central_input, network_input, random_crops
from waver.models.backbones.classified import Classified
from waver.models.backbones.feature import FaceSize
from waver.provenance import seed_for
from waver.training.archive import Progress, resume, save_progress, write_history
from waver.training.image_tasks import ImageTask, Ints
from waver.training.pixels import SAY_EVERY_S, LabelledImages
from waver.training.schedule import decay_groups, learning_rate, optimiser_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageJob:
    """One training.

    Attributes:
        config: the recipe.
        seed: decides new layers, the pictures of an epoch, crops and dropout.
        key: what the training is made from; a state file with another key is ignored.
        history: JSON lines, one an epoch.
        state: file from which a killed job goes on.
    """

    config: ImageRecipe
    seed: int
    key: str
    history: Path
    state: Path


def make_optimiser(network: nn.Module, new: Sequence[nn.Parameter], config: ImageRecipe) -> torch.optim.Optimizer:
    """Optimiser with groups of old parameters and groups of ``new``, at ``config.new_layers`` times the rate."""
    fresh = {id(parameter) for parameter in new}
    groups = [
        {**group, "params": [p for p in group["params"] if (id(p) in fresh) is is_new], "factor": factor}
        for group in decay_groups(network, config)
        for is_new, factor in ((False, 1.0), (True, config.new_layers))
    ]
    return optimiser_of(groups, config)


def fit_images(
    network: Classified,
    new: Sequence[nn.Parameter],
    parts: dict[str, LabelledImages],
    task: ImageTask,
    job: ImageJob,
) -> Progress:
    """Train a network and leave it, on the CPU, as it was after its best epoch.

    Args:
        network: already initialised.
        new: its parameters that begin at random.
        parts: ``train`` to learn from, ``val`` to choose the epoch with.
        task: what is learnt.
        job: recipe, seed and files.

    Raises:
        WaverError: a part has too few pictures, the score is undefined on ``val``, or the loss is not finite.
    """
    config = job.config
    device = torch_device()
    # convolutions run fastest with the channels last, on GPUs and CPUs alike
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = make_optimiser(network, new, config)
    progress = resume(job.state, job.key, network, optimiser)
    if progress.epoch:
        log.info("going on after epoch %d", progress.epoch)
    write_history(job.history, progress.history)
    while not progress.finished(config.epochs, config.patience):
        record = _epoch(network, optimiser, parts, task, job, progress.epoch + 1)
        undefined = (
            f"{task.select} is undefined on the val split (it has no frame with A/H and a face); "
            "add val videos with A/H"
        )
        progress.take(record, task.select, network.state_dict(), undefined)
        save_progress(job.state, job.key, progress, network, optimiser)
        write_history(job.history, progress.history)
        _report(progress, config, task)
    network.load_state_dict(progress.best_state)
    network.to("cpu").eval()
    return progress


def _epoch(
    network: Classified,
    optimiser: torch.optim.Optimizer,
    parts: dict[str, LabelledImages],
    task: ImageTask,
    job: ImageJob,
    epoch: int,
) -> dict[str, Any]:
    started = time.perf_counter()
    seed = seed_for("backbone", task.name, job.seed, "epoch", epoch)
    torch.manual_seed(seed)
    lr = learning_rate(job.config, epoch)
    for group in optimiser.param_groups:
        group["lr"] = lr * group["factor"]
    loss, count, wait_s = _train_epoch(
        network, optimiser, parts["train"], task, job.config, np.random.default_rng(seed)
    )
    if not math.isfinite(loss):
        raise WaverError(f"the loss is {loss} in epoch {epoch} of backbone.{task.name}; lower its lr, or train in fp32")
    scores = task.score(logits_of(network, parts["val"], job.config), parts["val"].label)
    seconds = time.perf_counter() - started
    figures = {"lr": lr, "pictures": count, "seconds": seconds, "data_wait_s": wait_s}
    return {"epoch": epoch, "train_loss": loss, **scores, **figures}


def _train_epoch(
    network: Classified,
    optimiser: torch.optim.Optimizer,
    images: LabelledImages,
    task: ImageTask,
    config: ImageRecipe,
    generator: np.random.Generator,
) -> tuple[float, int, float]:
    """Mean loss, number of pictures, and seconds spent waiting for them."""
    order = task.draw(images.label, generator)
    if len(order) < 2:
        raise WaverError(
            f"backbone.{task.name} has {len(order)} pictures to learn from; see the log for what was left out"
        )
    network.train()
    device = next(network.parameters()).device
    total, wait_s, done, said = torch.zeros((), device=device), 0.0, 0, time.perf_counter()
    steps = portions(order, config.batch)
    stream = _prepared(images, steps, config.at_once, network.backbone.INPUT, generator, device)
    begun = said
    while True:
        asked = time.perf_counter()
        step = next(stream, None)
        wait_s += time.perf_counter() - asked
        if step is None:
            return float(total / done), done, wait_s
        total += _step(network, optimiser, step, config)
        done += sum(len(label) for _, label in step)
        if time.perf_counter() - said > SAY_EVERY_S:
            said = time.perf_counter()
            left_min = (said - begun) / done * (len(order) - done) / 60
            log.info("%d of %d pictures of this epoch, %.1f min of it left", done, len(order), left_min)


def portions(items: npt.NDArray[Any], size: int) -> list[npt.NDArray[Any]]:
    """Items in portions of like size, ``size`` or a little less; never of one, which no batch norm can work on."""
    return np.array_split(items, max(1, min(-(-len(items) // size), len(items) // 2)))


Step = list[tuple[Tensor, Tensor]]
"""Images float32 [b, 3, c, c] and labels int64 [b] of the forward passes of one step."""


def _prepared(
    images: LabelledImages,
    steps: Sequence[Ints],
    at_once: int,
    size: FaceSize,
    generator: np.random.Generator,
    device: torch.device,
) -> Iterator[Step]:
    """The steps of an epoch; the next one is gathered while the network works on this one."""

    def gather(items: Ints) -> list[list[Tensor]]:
        values = [items, *random_crops(len(items), generator, size)]
        passes = zip(*(portions(each, at_once) for each in values), strict=True)
        return [[*map(torch.from_numpy, (images.take(own), *crop, images.label[own]))] for own, *crop in passes]

    # one worker, so that the generator is drawn from in the order of the steps
    with ThreadPoolExecutor(1) as worker:
        coming = worker.submit(gather, steps[0])
        for following in (*steps[1:], None):
            gathered = [[values.to(device) for values in part] for part in coming.result()]
            if following is not None:
                coming = worker.submit(gather, following)
            yield [
                (network_input(faces, top, left, mirrored, size), label)
                for faces, top, left, mirrored, label in gathered
            ]


def _step(network: Classified, optimiser: torch.optim.Optimizer, step: Step, config: ImageRecipe) -> Tensor:
    """One step of the optimiser; the sum of the pictures' losses."""
    optimiser.zero_grad(set_to_none=True)
    count = sum(len(label) for _, label in step)
    total = torch.zeros((), device=step[0][1].device)
    for images, label in step:
        with autocast(images.device, config.precision):
            logits = network(images.contiguous(memory_format=torch.channels_last))
        loss = functional.cross_entropy(logits.float(), label, reduction="sum")
        (loss / count).backward()  # type: ignore[no-untyped-call]
        total += loss.detach()
    if config.clip:
        nn.utils.clip_grad_norm_(network.parameters(), config.clip)
    optimiser.step()
    return total


def logits_of(network: Classified, images: LabelledImages, config: ImageRecipe) -> npt.NDArray[np.float32]:
    """Logits float32 [N, C] of the middle crops, in evaluation mode."""
    network.eval()
    device = next(network.parameters()).device
    found = []
    with torch.inference_mode():
        for start in range(0, len(images), config.at_once):
            faces = images.take(np.arange(start, min(start + config.at_once, len(images))))
            batch = central_input(torch.from_numpy(faces).to(device), network.backbone.INPUT)
            with autocast(device, config.precision):
                logits = network(batch.contiguous(memory_format=torch.channels_last))
            found.append(logits.float().cpu().numpy())
    return np.concatenate(found)


def _report(progress: Progress, config: ImageRecipe, task: ImageTask) -> None:
    last = progress.history[-1]
    waiting = f"{100 * last['data_wait_s'] / last['seconds']:.0f} % of it"
    log.info("%s", progress.told(config.epochs, task.select, waiting, f"{last['pictures']} pictures, "))
