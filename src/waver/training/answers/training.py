"""Training of models of answers: networks by the loop, classifiers in one go."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from waver.datasets.answers import Answer
from waver.models.base import AnswerClassifier, AnswerModel, Encoding
from waver.models.text.inputs import Labels, class_weight, learnable
from waver.models.text.network import NeuralAnswerModel, loss_of, seeded, weighted_loss
from waver.models.text.sentence import needed
from waver.training.lr_schedule import line_after_warm_up
from waver.training.trainer import Course, Meter, Training, train

Labelled = tuple[Sequence[Answer], Labels, Sequence[Encoding] | None]
"""Answers [n], their labels uint8 [n], 0 or 1, and their encodings [n] for a model that encodes."""

_CLIP = 1.0
_SORTED_AHEAD = 8  # batches within which answers are sorted by length, so that little is padded


class AnswerTraining(Training[nn.Module, list[int]]):
    """Answers, a loss weighted so that both classes weigh the same, and that loss on answers of other people.

    Everything is drawn from two generators that run on from epoch to epoch: torch's, which the caller seeds, and one
    for the order of the answers. Such a training cannot be resumed; it takes minutes.

    Args:
        model: built.
        answers: n answers to train on.
        label: uint8 [n].
        vectors: n encodings, for a model that encodes.
        val: answers to choose the epoch with; None or empty: the last one is kept.
    """

    def __init__(
        self,
        model: NeuralAnswerModel,
        answers: Sequence[Answer],
        label: Labels,
        vectors: Sequence[Encoding],
        val: Labelled | None,
    ) -> None:
        config, chosen = model.config, val is not None and len(val[0]) > 0
        course = Course(config.epochs, config.patience, "log_likelihood" if chosen else "", _CLIP)
        remedy = f"lower answers.options.{model.name}.rate"
        undefined = f"the loss of {model.name} on the answers that choose the epoch is not a number; {remedy}"
        super().__init__(model.network, course, undefined, remedy)
        self.model, self.device = model, model.device
        self.forward, self.lengths = model.forward(answers, vectors)
        self.label, self.weight = self._tensor(label), self._tensor(class_weight(label))
        self.steps = math.ceil(len(answers) / config.batch)
        self.order = np.random.default_rng(model.seed)
        self.val_loss = None
        if val is not None and chosen:
            self.val_loss = loss_of(*model.forward(val[0], val[2]), val[1], config.batch)

    def optimiser(self) -> torch.optim.Optimizer:
        """AdamW over the groups of the model."""
        return torch.optim.AdamW([{**group, "factor": group["lr"]} for group in self.model.parameter_groups()])

    def rate(self, step: int) -> float:
        """Share of each group's rate, by steps."""
        return line_after_warm_up(step, self.course.epochs * self.steps, self.model.warm_up)

    def begin_epoch(self, epoch: int) -> None:
        """Nothing is seeded anew."""

    def batches(self, epoch: int) -> Iterator[list[int]]:
        """Numbers of all answers in a drawn order, those of a batch of like length."""
        size, ahead = self.model.config.batch, self.model.config.batch * _SORTED_AHEAD
        order = self.order.permutation(len(self.lengths))
        windows = [sorted(order[i : i + ahead], key=lambda n: self.lengths[n]) for i in range(0, len(order), ahead)]
        batches = [[int(n) for n in window[i : i + size]] for window in windows for i in range(0, len(window), size)]
        return iter([batches[i] for i in self.order.permutation(len(batches))])

    def backward(self, batch: list[int], meter: Meter) -> None:
        """One forward pass."""
        weight = self.weight[batch]
        loss = weighted_loss(self.forward(batch), self.label[batch], weight)
        loss.backward()  # type: ignore[no-untyped-call]
        meter.add(loss.detach() * weight.sum(), weight.sum())

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Loss on the answers of other people, if there are any, and its negative, which chooses the epoch."""
        network.eval()
        if self.val_loss is None:
            return {}
        loss = self.val_loss()
        return {"val_loss": loss, "val_log_likelihood": -loss}

    def _tensor(self, values: Labels | np.ndarray[tuple[int], np.dtype[np.float64]]) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(values), dtype=torch.float32, device=self.device)


def fit_model(
    model: AnswerModel,
    answers: Sequence[Answer],
    label: Labels,
    vectors: Sequence[Encoding] | None = None,
    val: Labelled | None = None,
) -> None:
    """Fit a model of either kind.

    Args:
        model: as it is built.
        answers: n labelled answers.
        label: uint8 [n], 0 or 1.
        vectors: n encodings, for a model that encodes.
        val: answers of other people, to choose the epoch of a network with.

    Raises:
        WaverError: a class, or the encodings that the model needs, are missing; a loss is not finite.
    """
    if isinstance(model, AnswerClassifier):
        model.fit(answers, label, vectors)
    elif isinstance(model, NeuralAnswerModel):
        known = learnable(model.name, answers, label, needed(vectors) if model.encodes else None)
        with seeded(model.seed, model.device):
            model.build(*known)
            model.epoch = train(AnswerTraining(model, *known, val)).best_epoch
        model.network.to(model.device)
        model.finish()
