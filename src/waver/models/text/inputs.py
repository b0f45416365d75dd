"""What every model of answers begins with: checks, an order of its own, and the context of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from waver.datasets.answers import Answer
from waver.datasets.folds import dealt
from waver.datasets.question_context import video_context
from waver.errors import WaverError
from waver.models.base import Encoding
from waver.provenance import seed_for

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.uint8]


def check_classes(method: str, label: npt.NDArray[Any]) -> None:
    """Refuse to learn from nothing, or from one class.

    Raises:
        WaverError: a class has no answer.
    """
    for value, name in ((1, "with A/H"), (0, "without A/H")):
        if not (np.asarray(label) == value).any():
            raise WaverError(f"{method} was given no answer {name} to learn from; check the labels and the split")


def own_order(answers: Sequence[Answer]) -> npt.NDArray[np.int64]:
    """Numbers [n] of the answers sorted by video, so that a fit does not depend on the order they came in."""
    names = [(answer.video, answer.text) for answer in answers]
    return np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)


def learnable(
    method: str, answers: Sequence[Answer], label: Labels, vectors: Sequence[Encoding] | None = None
) -> tuple[list[Answer], Labels, list[Encoding]]:
    """What a fit begins with: answers [n], labels uint8 [n] and encodings (none where none are given) in own order.

    Raises:
        WaverError: a class has no answer.
    """
    check_classes(method, label)
    order = own_order(answers)
    return [answers[i] for i in order], np.asarray(label)[order], [vectors[i] for i in order] if vectors else []


def context(answers: Sequence[Answer]) -> Floats:
    """What the content-free control knows where no video is at hand: float64 [n, Q + 1] of Q questions.

    Question one-hot (zeros where unknown) and log(1 + words).
    """
    return video_context([vars(answer) for answer in answers], timed=False)


def class_weight(label: npt.NDArray[Any]) -> Floats:
    """Weight float64 [n] of each answer: both classes weigh the same, and the mean is 1."""
    count = np.bincount(label, minlength=2)
    weight: Floats = (len(label) / (2 * count))[label]
    return weight


def people_apart(participants: Sequence[str], parts: int, seed: int) -> npt.NDArray[np.int64]:
    """Part int64 [n], 0 to ``parts - 1``, of each answer; a participant is in one part only."""
    part = dealt(participants, parts, lambda person: seed_for("people", person, seed))
    return np.array([part[person] for person in participants], np.int64)
