"""What becomes of a participant's predictions while a method adapts: a point an epoch, or a tenth of a stream."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from waver.adaptation.base import Labels, Network, TargetView
from waver.evaluation.metrics import average_precision_paper, avgf1, f1, wf1

_POINTS = 10
_TENTHS = range(1, _POINTS + 1)
_DIGITS = 4

Point = dict[str, Any]

_OF_A_PERSON = {"AVGF1": avgf1, "F1": f1, "WF1": wf1, "AP_paper": average_precision_paper}


class Chosen:
    """How many frames a method has chosen while a stream passes: in its caches, or learned from so far."""

    def __init__(self) -> None:
        self._seen: list[tuple[int, int]] = []

    def add(self, frames: int, count: int | None) -> None:
        """The next frames have passed, and so many are chosen now; None: the method chooses none."""
        if count is not None:
            self._seen.append(((self._seen[-1][0] if self._seen else 0) + frames, count))

    def points(self) -> list[Point]:
        """A point a tenth of the stream; ``done`` is the share that has passed. None where nothing is chosen."""
        if not self._seen:
            return []
        ends, counts = zip(*self._seen, strict=True)
        marks = dict.fromkeys(bisect_left(ends, ends[-1] * tenth / _POINTS) for tenth in _TENTHS)
        return [{"done": round(ends[mark] / ends[-1], _DIGITS), "frames": counts[mark]} for mark in marks]


def watched(model: Network, *views: TargetView) -> list[list[Tensor]]:
    """For each view a list that gets the logits [M, 2] of its frames after each epoch of what is made of a network.

    The frames are unlabelled, and nothing of the lists reaches the method: scores are made of them afterwards.
    """
    seen: list[list[Tensor]] = [[] for _ in views]

    def watch(adapted: Network) -> None:
        for logits, view in zip(seen, views, strict=True):
            logits.append(view.predict(adapted))

    model.watch = watch
    return seen


def noted(model: Network, seen: Sequence[Tensor]) -> list[tuple[int, Tensor]]:
    """A list that gets the pseudo-labels that a method tells of, with the epochs done until then.

    Args:
        model: the network that the method starts from.
        seen: grows with each epoch, see ``watched``.
    """
    found: list[tuple[int, Tensor]] = []

    def note(labels: Tensor) -> None:
        found.append((len(seen), labels.detach().clone()))

    model.note = note
    return found


def labels_trace(recorded: Sequence[tuple[int, Tensor]], epochs: int, view: TargetView, labels: Labels) -> list[Point]:
    """Frames of T_tr with a pseudo-label and the share of these that is right, whenever they were chosen anew.

    Args:
        recorded: see ``noted``.
        epochs: in all.
        view: T_tr, as the method saw it.
        labels: uint8 [N], of the frames of T_tr, which no method is given.
    """
    found = []
    for done, own in recorded:
        given = view.on_frames(own).numpy()
        sure = given >= 0
        right = round(float((given[sure] == labels[sure]).mean()), _DIGITS) if sure.any() else None
        share = round(done / max(epochs, 1), _DIGITS)
        found.append({"done": share, "frames": int(sure.sum()), "right": right})
    return found


def epochs_trace(before: Tensor, after: Sequence[Tensor], labels: Labels) -> list[Point]:
    """Points of a method that adapts first and is scored then; ``done`` is the share of the epochs.

    Args:
        before: logits [M, 2] of T_te before the adaptation.
        after: the same after each epoch.
        labels: uint8 [M], of T_te.
    """
    still = state(before, labels)
    found = [before, *after]
    return [
        {"done": round(number / max(len(after), 1), _DIGITS), **state(logits, labels), **_as(still)}
        for number, logits in enumerate(found)
    ]


def stream_trace(before: Tensor, logits: Tensor, labels: Labels) -> list[Point]:
    """Points of a method that predicts frames as they arrive, each of all frames so far; ``done`` is their share.

    Args:
        before: logits [M, 2] of T_te by the network as it was.
        logits: float32 [M, 2], each as it was given.
        labels: uint8 [M].
    """
    ends = dict.fromkeys(len(labels) * number // _POINTS for number in _TENTHS)
    return [
        {
            "done": round(end / len(labels), _DIGITS),
            **state(logits[:end], labels[:end]),
            **_as(state(before[:end], labels[:end])),
        }
        for end in ends
        if end
    ]


def state(logits: Tensor, labels: Labels) -> Point:
    """Share predicted positive, mean entropy in nats, and AVGF1; None where the labels are of one class."""
    probability = logits.double().softmax(dim=1)
    score = avgf1(probability[:, 1].numpy(), labels) if 0 < int(labels.sum()) < len(labels) else None
    return {
        "positive": round(positive_rate(logits), _DIGITS),
        "entropy": round(mean_entropy(logits), _DIGITS),
        "AVGF1": None if score is None else round(score, _DIGITS),
    }


def own_scores(logits: Tensor, labels: Labels) -> Point:
    """What the papers' tables show of a participant: AVGF1, F1, WF1 and their AP; None where labels are of one class.

    Args:
        logits: [M, 2] of T_te.
        labels: uint8 [M].
    """
    probability = logits.double().softmax(dim=1)[:, 1].numpy()
    known = 0 < int(labels.sum()) < len(labels)
    return {name: round(score(probability, labels), _DIGITS) if known else None for name, score in _OF_A_PERSON.items()}


def _as(point: Point) -> Point:
    """The same of the network as it was."""
    return {f"unadapted_{name}": value for name, value in point.items()}


def positive_rate(logits: Tensor) -> float:
    """Share of logits [N, 2] that say A/H."""
    return float((logits[:, 1] > logits[:, 0]).float().mean())


def mean_entropy(logits: Tensor) -> float:
    """Mean entropy of the predictions of logits [N, 2], nats."""
    spread = logits.double().log_softmax(dim=1)
    return float(-(spread.exp() * spread).sum(dim=1).mean())
