"""One participant: all frames, their split, and what becomes of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from waver.adaptation.base import Features, Labels
from waver.adaptation.protocol import Guard, Ints, split_frames, split_hash
from waver.adaptation.trace import Point, epochs_trace, mean_entropy, own_scores, positive_rate, stream_trace
from waver.errors import ExcludedItem, WaverError
from waver.io.atomic import atomic_write
from waver.io.predictions import prediction_table
from waver.io.tables import write_arrow
from waver.provenance import seed_for
from waver.workflow.paths import diagnostics_of

log = logging.getLogger(__name__)

PROTOCOL_SEED = 0
"""Frames are split alike for every method and seed: what differs between rows is never the test frames."""

Split = Mapping[str, Ints]


@dataclass(frozen=True)
class Target:
    """All frames of one participant, by video id, then time.

    Attributes:
        participant: participant id.
        videos: video ids, sorted.
        features: float32 [N, D], normalised.
        labels: uint8 [N].
        video: int32 [N], number of the frame's video in ``videos``.
        frame: int32 [N], frame on the 24 fps clock.
        split: of the data set, that the participant is of.
        fold: that held the participant out, in a cross-validation.
    """

    participant: str
    videos: tuple[str, ...]
    features: Features
    labels: Labels
    video: npt.NDArray[np.int32]
    frame: npt.NDArray[np.int32]
    split: str = "test"
    fold: int | None = None


@dataclass(frozen=True)
class Result:
    """Predictions of T_te and what is known of how they came about.

    Attributes:
        target: the participant.
        test: int64 [M], rows of T_te.
        logits: float64 [M, 2].
        diagnostics: one line of the diagnostics file.
    """

    target: Target
    test: Ints
    logits: npt.NDArray[np.float64]
    diagnostics: dict[str, Any]


def copied(values: npt.NDArray[Any], rows: Ints) -> npt.NDArray[Any]:
    """Rows of an array, read-only; a copy, so that nothing leads from it to the participant's other frames."""
    chosen = values[rows]
    chosen.setflags(write=False)
    return chosen


def split_population(target: Target, protocol: str, guard_s: float) -> dict[str, Ints]:
    """The split of one participant.

    Raises:
        ExcludedItem: the participant does not belong to the population scored, or cannot be split.
    """
    if not target.labels.any():
        raise ExcludedItem("it has no frame with A/H", "such participants are not part of the scored population")
    video = np.asarray(target.videos)[target.video]
    split = split_frames(target.labels, video, protocol, target.participant, PROTOCOL_SEED, guard_s)
    if not target.labels[split["test"]].any():
        raise ExcludedItem("no frame with A/H falls into its test part", "it has too few of them to be scored")
    if protocol == "video" and target.labels[split["test"]].all():
        raise ExcludedItem("no frame without A/H falls into its test part", "use the protocol block")
    if len(split["train"]) < 2 or not len(split["val"]):
        raise ExcludedItem("its recordings leave nothing to adapt on", "use the protocol frame_random")
    return split


class Person(NamedTuple):
    """A participant to adapt to, with the split and a seed that depends on nobody else."""

    target: Target
    split: Split
    seed: int


def adapt_each(
    targets: Iterable[Target],
    adapt: Callable[[Sequence[Person]], Iterable[Result]],
    protocol: str,
    guard: Guard,
    predictions: Path,
    record: Mapping[str, Any],
    only: Sequence[str] | None = None,
) -> None:
    """Split each participant's frames, adapt, and write the predictions and their diagnostics.

    Args:
        targets: the participants.
        adapt: makes the results of the participants, in their order; what it does with one must not depend on others.
        protocol: how frames are split, see ``protocol.split_frames``.
        guard: between the subsets of a video; kept with predictions of the protocol ``block``.
        predictions: Parquet file to write; ``<predictions>.diagnostics.jsonl`` is written beside it.
        record: metadata of the predictions, with ``method`` and ``seed``; level, protocol and guard are set here.
        only: participants who are adapted to; None: all.

    Raises:
        WaverError: one of ``only`` is not among the targets.
    """
    method, seed = record["method"], record["seed"]
    found, left_out = split_each(targets, protocol, guard, only)
    people = [
        Person(target, split, seed_for(seed, "adapt", method, protocol, target.participant)) for target, split in found
    ]
    results = list(adapt(people))
    write_lines(Path(diagnostics_of(str(predictions))), [*(r.diagnostics for r in results), *left_out])
    guarded = {"guard_s": guard.seconds, "beyond": list(guard.beyond)} if protocol == "block" else {}
    write_arrow(predictions, result_table(results), {**record, "level": "frame", "protocol": protocol, **guarded})
    log.info("%s, %s: %d participants adapted, %d left out", method, protocol, len(results), len(left_out))


def split_each(
    targets: Iterable[Target], protocol: str, guard: Guard, only: Sequence[str] | None
) -> tuple[list[tuple[Target, Split]], list[dict[str, str]]]:
    """The targets with their splits; and for those that have none ``participant`` and the reason, ``left_out``.

    Args:
        targets: see ``adapt_each``, as the others.

    Raises:
        WaverError: one of ``only`` is not among the targets.
    """
    found: list[tuple[Target, Split]] = []
    left_out: list[dict[str, str]] = []
    for target in wanted(targets, only):
        try:
            found.append((target, split_population(target, protocol, guard.seconds)))
        except ExcludedItem as problem:
            log.warning("%s left out: %s", target.participant, problem)
            left_out.append({"participant": target.participant, "left_out": problem.reason})
    return found, left_out


def wanted(targets: Iterable[Target], only: Sequence[str] | None) -> list[Target]:
    """The targets of these ids, in the order of the targets.

    Raises:
        WaverError: an id is not among them.
    """
    found = [target for target in targets if only is None or target.participant in only]
    unknown = sorted(set(only or ()) - {target.participant for target in found})
    if unknown:
        raise WaverError(
            f"adapt.participants: nobody whose frames are labelled has the id {unknown[0]} in the split of "
            "adapt.targets; correct the id, or leave it out"
        )
    return found


def scored(
    target: Target,
    split: Split,
    before: torch.Tensor,
    logits: torch.Tensor,
    steps: int,
    seconds: float,
    seen: Sequence[torch.Tensor] = (),
    chosen: Sequence[Point] = (),
) -> Result:
    """The result of one participant, and its line of diagnostics.

    The line holds the frames of the six cells, hash of the split, seconds, optimiser steps, of T_te the share
    predicted positive and the mean entropy before and after, the scores ``trace.own_scores``, and the share of frames
    whose class changed (``flips``); of a method that takes steps the ``trace``, and of one that chooses frames
    ``chosen``, see ``waver.adaptation.trace``.

    Args:
        target: the participant.
        split: rows of the subsets.
        before: logits [M, 2] of T_te before the adaptation.
        logits: float32 [M, 2] of T_te after it.
        steps: optimiser steps taken.
        seconds: time that they took.
        seen: logits [M, 2] of T_te after each epoch, of a method that has any.
        chosen: how many frames the method chose, and how many of its pseudo-labels are right.

    Raises:
        WaverError: the method gave values that are not finite.
    """
    if not bool(torch.isfinite(logits).all()):
        raise WaverError(
            f"adaptation to {target.participant} gave values that are not finite; "
            "lower the method's lr in adapt.options"
        )
    diagnostics = {
        "participant": target.participant,
        **cells(target, split),
        "split_hash": split_hash(split),
        "seconds": round(seconds, 3),
        "steps": steps,
        "predicted_positive_before": positive_rate(before),
        "predicted_positive_after": positive_rate(logits),
        "entropy_before": mean_entropy(before),
        "entropy_after": mean_entropy(logits),
        **own_scores(logits, target.labels[split["test"]]),
        "flips": float(((logits[:, 1] > logits[:, 0]) != (before[:, 1] > before[:, 0])).float().mean()),
    }
    if steps:
        labels = target.labels[split["test"]]
        trace = epochs_trace(before, seen, labels) if seen else stream_trace(before, logits, labels)
        diagnostics["trace"] = trace
    if chosen:
        diagnostics["chosen"] = list(chosen)
    return Result(target, split["test"], logits.double().numpy(), diagnostics)


def cells(target: Target, split: Split) -> dict[str, int]:
    """Frames of each subset and class, e.g. ``test_positives``."""
    return {
        f"{name}_{kind}": int((target.labels[rows] == value).sum())
        for name, rows in split.items()
        for kind, value in (("positives", 1), ("negatives", 0))
    }


def result_table(results: Sequence[Result]) -> pa.Table:
    """Predictions of several participants (PREDICTIONS, frame level)."""
    logits = np.concatenate([np.zeros((0, 2)), *(result.logits for result in results)])
    margin = logits[:, 1] - logits[:, 0]
    owners = [(r.target, number) for r in results for number in r.target.video[r.test].tolist()]
    items = [(target.videos[number], target.participant, target.split) for target, number in owners]
    fold = [target.fold for target, _ in owners]
    frame = np.concatenate([np.zeros(0, np.int32), *(r.target.frame[r.test] for r in results)])
    return prediction_table(items, margin, frame=frame, fold=fold)


def write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON objects, one a line."""
    with atomic_write(path) as file:
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
