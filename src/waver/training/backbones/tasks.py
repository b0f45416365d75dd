"""What image backbones learn: basic emotions of single pictures, A/H of single frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from waver.datasets.emotions.classes import EMOTIONS
from waver.evaluation.metrics import average_precision, average_precision_paper, avgf1
from waver.models.backbones.checkpoint import Task

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Scores = dict[str, float]


@dataclass(frozen=True)
class ImageTask:
    """What is learned.

    Attributes:
        name: of the stage.
        classes: their names, in the order of the output.
        draw: labels int64 [N] and a generator -> int64, the pictures of one epoch in their order.
        score: logits float32 [N, C] and labels int64 [N] -> validation scores by name.
        select: the score of the kept epoch.
    """

    name: Task
    classes: tuple[str, ...]
    draw: Callable[[Ints, np.random.Generator], Ints]
    score: Callable[[Floats, Ints], Scores]
    select: str


def shuffled(label: Ints, generator: np.random.Generator) -> Ints:
    """All pictures, in a new order."""
    return generator.permutation(len(label))


def balanced(label: Ints, generator: np.random.Generator) -> Ints:
    """All positives and as many negatives, drawn anew, in a new order; fewer where there are not so many."""
    positive, negative = np.flatnonzero(label == 1), np.flatnonzero(label == 0)
    drawn = generator.choice(negative, min(len(positive), len(negative)), replace=False)
    return generator.permutation(np.concatenate([positive, drawn]))


def frame_scores(logits: Floats, label: Ints) -> Scores:
    """Loss and scores of pooled frames; a score without positives is nan."""
    margin = logits[:, 1].astype(np.float64) - logits[:, 0]
    chance = np.exp(-np.logaddexp(0, -margin))
    return {
        "val_loss": float(np.logaddexp(0, np.where(label == 1, -margin, margin)).mean()),
        "val_AP": average_precision(chance, label),
        "val_AP_paper": average_precision_paper(chance, label),
        "val_AVGF1": avgf1(chance, label),
    }


def class_scores(logits: Floats, label: Ints) -> Scores:
    """Loss, accuracy and the mean F1 over the classes that are there."""
    there = np.unique(label)
    predicted = logits.argmax(1)
    hits = np.array([((predicted == c) & (label == c)).sum() for c in there])
    named = np.array([(predicted == c).sum() + (label == c).sum() for c in there])
    own = torch.from_numpy(logits).double().log_softmax(1).numpy()[np.arange(len(label)), label]
    return {
        "val_loss": float(-own.mean()),
        "val_accuracy": float((predicted == label).mean()),
        "val_F1": float((2 * hits / named).mean()),
    }


TASKS: dict[Task, ImageTask] = {
    "emotions": ImageTask("emotions", EMOTIONS, shuffled, class_scores, "F1"),
    "ah": ImageTask("ah", ("no A/H", "A/H"), balanced, frame_scores, "AP"),
}
