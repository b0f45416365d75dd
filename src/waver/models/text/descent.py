"""Training of a network on answers: weighted steps, a warm-up, and the epoch that others' answers choose."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from waver.models.text.inputs import class_weight
from waver.models.text.linear import fit_logistic

log = logging.getLogger(__name__)

Forward = Callable[[Sequence[int]], Tensor]
"""Margins [B] of the answers with these numbers."""

_SORTED_AHEAD = 8  # batches within which answers are sorted by length, so that little is padded
_HEAD_STRENGTH = 0.1


@dataclass(frozen=True)
class Course:
    """How long and how fast.

    Attributes:
        epochs: passes over the answers.
        batch: answers of a step.
        warm_up: share of the steps in which the rate rises from 0; then it falls to 0 on a line.
        patience: epochs without a lower validation loss before it ends; counts only where there is validation.
        clip: largest norm of the gradient.
    """

    epochs: int
    batch: int
    warm_up: float
    patience: int
    clip: float = 1.0


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Everything that torch draws inside follows from the seed; what it draws outside does not change."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def descend(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    forward: Forward,
    label: Tensor,
    weight: Tensor,
    lengths: Sequence[int],
    course: Course,
    seed: int,
    val_loss: Callable[[], float] | None,
) -> int:
    """Train a network in place, and leave it as it was after its best epoch, or after the last one.

    Args:
        network: its weights are learnt.
        optimiser: over its parameters; its rates are the highest.
        forward: margins of some of the n answers, with gradient.
        label: float32 [n].
        weight: float32 [n].
        lengths: tokens of each answer; those of a batch are alike.
        course: how long and how fast.
        seed: of the order of the answers.
        val_loss: loss on answers of other people, asked for after each epoch.

    Returns:
        The epoch whose weights were kept, from 1.
    """
    draw = np.random.default_rng(seed)
    steps = course.epochs * math.ceil(len(lengths) / course.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _rise_and_fall(steps, course.warm_up))
    best, kept, state = math.inf, course.epochs, None
    for epoch in range(1, course.epochs + 1):
        network.train()
        for batch in _batches(lengths, course.batch, draw):
            optimiser.zero_grad(set_to_none=True)
            loss = weighted_loss(forward(batch), label[batch], weight[batch])
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), course.clip)
            optimiser.step()
            schedule.step()
        if val_loss is None:
            continue
        network.eval()
        value = val_loss()
        log.info("epoch %d: validation loss %.4f", epoch, value)
        if value < best:
            best, kept, state = value, epoch, copy.deepcopy(network.state_dict())
        elif epoch - kept >= course.patience:
            break
    if state is not None:
        network.load_state_dict(state)
    network.eval()
    return kept


def weighted_loss(margin: Tensor, label: Tensor, weight: Tensor) -> Tensor:
    """Binary cross entropy of margins [B], each answer with its weight [B]; sum over sum of weights."""
    loss = binary_cross_entropy_with_logits(margin, label, weight=weight, reduction="sum")
    return loss / weight.sum()


def loss_of(forward: Forward, lengths: Sequence[int], label: npt.NDArray[Any], size: int) -> Callable[[], float]:
    """Loss on answers [n] with labels [n], as a function to call after each epoch.

    Classes weigh the same, if both are there: of few people's answers all may be of one.
    """
    weight = class_weight(label) if len(np.unique(label)) == 2 else np.ones(len(label))
    target, weights = torch.tensor(label, dtype=torch.float64), torch.tensor(weight)
    return lambda: float(weighted_loss(torch.tensor(in_parts(forward, lengths, size)), target, weights))


def start_head(head: nn.Linear, beside: npt.NDArray[np.float64], label: npt.NDArray[Any]) -> None:
    """Let a network begin with what the features beside the text [n, E] tell, and learn what the words add.

    A logistic regression gives the head's last E weights and its bias; in the steps that a few hundred
    answers allow, descent would not reach them.
    """
    size = beside.shape[1]
    if size:
        model = fit_logistic(beside, label, [], _HEAD_STRENGTH, "half")
        with torch.no_grad():
            head.weight[0, -size:] = torch.tensor(model.coef_[0])
            head.bias[:] = torch.tensor(model.intercept_)


def _rise_and_fall(steps: int, warm_up: float) -> Callable[[int], float]:
    rising = max(1, round(steps * warm_up))

    def factor(step: int) -> float:
        return (step + 1) / rising if step < rising else max(0.0, (steps - step) / max(1, steps - rising))

    return factor


def _batches(lengths: Sequence[int], size: int, draw: np.random.Generator) -> list[list[int]]:
    """Numbers of all answers in a drawn order, those of a batch of like length."""
    order = draw.permutation(len(lengths))
    ahead = size * _SORTED_AHEAD
    windows = [sorted(order[i : i + ahead], key=lambda n: lengths[n]) for i in range(0, len(order), ahead)]
    batches = [[int(n) for n in window[i : i + size]] for window in windows for i in range(0, len(window), size)]
    return [batches[i] for i in draw.permutation(len(batches))]


def in_parts(forward: Forward, lengths: Sequence[int], size: int) -> Any:
    """Margins float64 [n] of all answers, without gradient, batch by batch in order of length."""
    margin = np.zeros(len(lengths))
    order = sorted(range(len(lengths)), key=lambda number: lengths[number])
    with torch.inference_mode():
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            margin[batch] = forward(batch).double().cpu().numpy()
    return margin
