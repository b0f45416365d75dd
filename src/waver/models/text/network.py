"""Models of answers that are networks: what the training loop needs of them, and their loss."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from waver.datasets.answers import Answer
from waver.models.base import AnswerModel, Encoding
from waver.models.text.inputs import Floats, Labels, class_weight
from waver.models.text.logistic_regression import fit_logistic

Forward = Callable[[Sequence[int]], Tensor]
"""Margins [B] of the answers with these numbers."""

_HEAD_STRENGTH = 0.1


class NeuralAnswerModel(AnswerModel):
    """A model of answers whose network the loop trains by epochs (``waver.training.answers.training``).

    Its ``Config`` has at least ``epochs``, ``patience`` (epochs without a lower validation loss before training ends)
    and ``batch`` (answers of a step).

    Attributes:
        network: set by ``build``.
        device: where it is trained and applied.
        digits: of a margin; the rest depends on what else was in the batch.
        warm_up: share of the steps in which the rate rises from 0; then it falls to 0 on a line.
        epoch: whose weights were kept, from 1.
    """

    digits: ClassVar[int]
    network: nn.Module
    device: torch.device
    warm_up: float
    epoch: int

    @abstractmethod
    def build(self, answers: Sequence[Answer], label: Labels, vectors: Sequence[Encoding]) -> None:
        """Draw the network, and fit what it is given beside the words, with the n answers that it is trained on."""

    @abstractmethod
    def parameter_groups(self) -> list[dict[str, Any]]:
        """Groups of AdamW: ``params``, their highest learning rate ``lr`` and their ``weight_decay``."""

    @abstractmethod
    def forward(self, answers: Sequence[Answer], vectors: Sequence[Encoding] | None) -> tuple[Forward, list[int]]:
        """Margins of any of n answers, with gradient, and the length of each answer in tokens."""

    def finish(self) -> None:
        """Called when the network is trained; by default nothing changes."""

    def margin(self, answers: Sequence[Answer], vectors: Sequence[Encoding] | None = None) -> Floats:
        """Logit margins float64 [n]."""
        if not answers:
            return np.zeros(0)
        self.network.eval()
        forward, lengths = self.forward(answers, vectors)
        margin: Floats = np.round(in_parts(forward, lengths, self.config.batch), self.digits)
        return margin

    def parameter_count(self) -> int:
        """Parameters of the network."""
        return sum(parameter.numel() for parameter in self.network.parameters())


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Everything that torch draws inside follows from the seed; what it draws outside does not change."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


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


def start_head(head: nn.Linear, side: npt.NDArray[np.float64], label: npt.NDArray[Any]) -> None:
    """Let a network begin with what the features beside the text [n, E] tell, and learn what the words add.

    A logistic regression gives the head's last E weights and its bias; in the steps that a few hundred
    answers allow, descent would not reach them.
    """
    size = side.shape[1]
    if size:
        model = fit_logistic(side, label, [], _HEAD_STRENGTH, "half")
        with torch.no_grad():
            head.weight[0, -size:] = torch.tensor(model.coef_[0])
            head.bias[:] = torch.tensor(model.intercept_)


def in_parts(forward: Forward, lengths: Sequence[int], size: int) -> Any:
    """Margins float64 [n] of all answers, without gradient, batch by batch in order of length."""
    margin = np.zeros(len(lengths))
    order = sorted(range(len(lengths)), key=lambda number: lengths[number])
    with torch.inference_mode():
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            margin[batch] = forward(batch).double().cpu().numpy()
    return margin
