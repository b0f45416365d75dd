"""Methods to compare: one table per level, split and protocol, the controls first in each.

Where a protocol scores part of the frames (adaptation to a participant), the controls are scored on the same
frames. Out-of-fold predictions of train and val make the split ``cv``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from waver.evaluation.bootstrap import Sample
from waver.evaluation.control_names import CONTROLS, CROSS_VALIDATED, STANDARD
from waver.evaluation.labels import Truth
from waver.evaluation.predictions import Predicted, restrict, to_videos
from waver.evaluation.video_aggregation import VideoRule
from waver.io.tables import MODEL_FIELDS
from waver.io.zarr_store import Array

SPLITS = ("train", "val", "test")
_MOST_QUESTIONS = 128
"""Numbers of questions are int8."""

DIFFERENCES = ("AVGF1", "AP")
"""Scores whose difference to the content-free control is given, as ``<score>_minus_content_free``."""


@dataclass(frozen=True)
class Table:
    """Methods scored together, on items of one split."""

    level: str
    split: str
    protocol: str
    truth: Truth
    methods: Sequence[Predicted]


METHOD_FIELDS = [
    pa.field("method", pa.string(), False, {"meaning": "e.g. lfan, shot, content_free"}),
    pa.field("modalities", pa.string(), False, {"meaning": "letters, empty where none is used"}),
    pa.field("model_set", pa.string(), False, {"meaning": "set of models: embedded, paper, or mixed"}),
    pa.field("level", pa.string(), False, {"meaning": "frame, video or participant"}),
    pa.field("split", pa.string(), False, {"meaning": "val, test or cv"}),
    pa.field("protocol", pa.string(), False, {"meaning": "standard, frame_random, block, video"}),
    *MODEL_FIELDS,
]
"""Columns that identify the method and the table of a row; see ``method_row``."""


def method_row(table: Table, predicted: Predicted) -> dict[str, Any]:
    """The values of METHOD_FIELDS."""
    return {
        "method": predicted.name.method,
        "modalities": predicted.name.modalities,
        "model_set": predicted.name.model_set,
        "level": table.level,
        "split": table.split,
        "protocol": table.protocol,
        **predicted.name.columns,
    }


def arrange(
    found: Sequence[Predicted], truths: Mapping[str, Truth], window_frames: int, rule: VideoRule = "sliding_mean"
) -> Iterator[Table]:
    """The tables that the predictions make, controls first in each; ``rule`` makes videos of frames."""
    own = {predicted.name for predicted in found if predicted.level == "video"}
    derived = [
        to_videos(predicted, truths["frame"], truths["video"], window_frames, rule)
        for predicted in found
        if predicted.level == "frame"
        and predicted.name.protocol in (STANDARD, CROSS_VALIDATED)
        and predicted.name not in own
    ]
    everything = sorted([*found, *derived], key=lambda p: (p.name.method not in CONTROLS, p.name))
    for level in ("frame", "video"):
        here = [predicted for predicted in everything if predicted.level == level]
        controls = [predicted for predicted in here if predicted.name.method in CONTROLS]
        for protocol in sorted({p.name.protocol for p in here}, key=lambda name: (name != STANDARD, name)):
            methods = [p for p in here if p.name.protocol == protocol and p.name.method not in CONTROLS]
            fitted = [control for control in controls if control.name.protocol == protocol]
            fitted = fitted or _on_same_items(controls, methods, protocol, truths[level])
            yield from _by_split(level, protocol, truths[level], [*fitted, *methods])


def _on_same_items(
    controls: Sequence[Predicted], methods: Sequence[Predicted], protocol: str, truth: Truth
) -> list[Predicted]:
    item = items_of(methods)
    fitted = CROSS_VALIDATED if _cross_validated(methods, truth) else STANDARD
    alike = [control for control in controls if control.name.protocol == fitted]
    renamed = [replace(control, name=control.name._replace(protocol=protocol)) for control in alike]
    return [restrict(control, item) for control in renamed]


def _cross_validated(methods: Sequence[Predicted], truth: Truth) -> bool:
    """Whether the methods predict people of train, whom only out-of-fold predictions may be scored on."""
    return bool((truth.split[items_of(methods)] == "train").any())


def items_of(methods: Iterable[Predicted]) -> Array:
    """Numbers of the items that any of the methods predicts, ascending."""
    return np.unique(np.concatenate([predicted.item for predicted in methods]))


def _by_split(level: str, protocol: str, truth: Truth, methods: Sequence[Predicted]) -> Iterator[Table]:
    """Tables of one protocol; out-of-fold predictions of train and val make one, ``cv``."""
    parts: dict[str, tuple[str, ...]] = {"val": ("val",), "test": ("test",)}
    if protocol == CROSS_VALIDATED or (protocol != STANDARD and _cross_validated(methods, truth)):
        parts = {"cv": ("train", "val")}
    for split, members_of in parts.items():
        scored = np.flatnonzero(np.isin(truth.split, members_of) & (truth.label >= 0))
        kept = [restrict(predicted, scored) for predicted in methods]
        kept = [predicted for predicted in kept if len(predicted.item)]
        if kept:
            for name in ("frame", "participant") if level == "frame" else ("video",):
                yield Table(name, split, STANDARD if protocol == CROSS_VALIDATED else protocol, truth, kept)


def scored_people(table: Table) -> Array:
    """Numbers of the participants with items in the table; at participant level, with positive ones."""
    item = items_of(table.methods)
    if table.level == "participant":
        item = item[table.truth.label[item] == 1]
    return np.unique(table.truth.participant[item])


def sample_of(truth: Truth, predicted: Predicted, people: Array) -> Sample:
    """A method's items of some participants (numbers, sorted), who are numbered anew in that order."""
    number = np.full(len(truth.people), -1)
    number[people] = np.arange(len(people))
    who = number[truth.participant[predicted.item]]
    item, kept = predicted.item[who >= 0], who >= 0
    label, stratum = truth.label[item].astype(np.uint8), _stratum(truth.question[item], predicted.fold[kept])
    return Sample(predicted.probability[kept], label, who[kept], stratum, len(people))


def _stratum(question: Array, fold: Array) -> Array:
    """Question, inside each fold where there are folds; -1 where the question is unknown."""
    return np.where(question < 0, -1, question.astype(np.int64) + _MOST_QUESTIONS * (fold.astype(np.int64) + 1))
