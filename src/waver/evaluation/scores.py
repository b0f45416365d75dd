"""Scores of every method with intervals, controls beside them: the one table of which all others are made.

Tables are told apart by level, split and protocol. Within one, all methods share resamples, so that
differences to the content-free control are paired. Where a protocol scores part of the frames (adaptation
to a participant), the controls are scored on the same frames.
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from waver.config.sections import EvaluateConfig
from waver.evaluation import bootstrap
from waver.evaluation.bootstrap import METRICS, Sample, interval, resamples
from waver.evaluation.groups import EVERYONE, group_names, members
from waver.evaluation.predictions import Predicted, read_predictions, restrict, to_videos
from waver.evaluation.truth import Truth, frame_truth, video_truth
from waver.store.arrays import Array
from waver.store.tables import SCORES, write_table

log = logging.getLogger(__name__)

SPLITS = ("val", "test")
STANDARD = "standard"
REFERENCE = "content_free"
CONTROLS = ("all_negative", "all_positive", REFERENCE)
DIFFERENCES = ("AVGF1", "AP")
"""Scores whose difference to the content-free control is given, as ``<score>_minus_content_free``."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """Methods scored side by side, on items of one split."""

    level: str
    split: str
    protocol: str
    truth: Truth
    methods: Sequence[Predicted]


def score_predictions(
    predictions: Sequence[Path],
    indexes: Sequence[Path],
    packs: Path,
    participants: Path,
    videos: Path,
    config: EvaluateConfig,
    scores: Path,
    scores_json: Path,
) -> None:
    """Score all predictions and write the scores table.

    Frames are scored against the labels on the 24 fps clock, videos against the released label. A method
    without video-level predictions of its own gets them from its frames by the papers' sliding window.
    At participant level each participant with positives is scored alone on their frames, and the mean and
    the sample standard deviation over participants are given (2026 paper, personalisation tables).

    Args:
        predictions: predictions files, the controls' among them.
        indexes: pack index of every shard.
        packs: folder of the packs.
        participants: participants table, for the groups.
        videos: videos table, for the video labels.
        config: bootstrap, window of the video-level rule, least size of a group.
        scores: Parquet file to write (SCORES).
        scores_json: the same rows as a JSON list of objects.

    Raises:
        WaverError: a predictions file does not fit the packs.
    """
    truths = {"frame": frame_truth(indexes, packs, SPLITS), "video": video_truth(indexes, videos, SPLITS)}
    found = read_predictions(predictions, truths)
    groups = group_names(participants)
    rows: list[Row] = []
    for table in arrange(found, truths, config.window_frames):
        log.info("%s, %s, %s: %d methods", table.level, table.split, table.protocol, len(table.methods))
        rows.extend(table_rows(table, groups, config))
    write_table(scores, rows, SCORES)
    _write_json(scores_json, rows)


def arrange(found: Sequence[Predicted], truths: Mapping[str, Truth], window_frames: int) -> Iterator[Table]:
    """The tables that the predictions make, controls first in each."""
    own = {predicted.name for predicted in found if predicted.level == "video"}
    derived = [
        to_videos(predicted, truths["frame"], truths["video"], window_frames)
        for predicted in found
        if predicted.level == "frame" and predicted.name.protocol == STANDARD and predicted.name not in own
    ]
    everything = sorted([*found, *derived], key=lambda p: (p.name.method not in CONTROLS, p.name))
    for level in ("frame", "video"):
        here = [predicted for predicted in everything if predicted.level == level]
        controls = [predicted for predicted in here if predicted.name.method in CONTROLS]
        for protocol in sorted({p.name.protocol for p in here}, key=lambda name: (name != STANDARD, name)):
            methods = [p for p in here if p.name.protocol == protocol and p.name.method not in CONTROLS]
            beside = controls if protocol == STANDARD else _on_same_items(controls, methods, protocol)
            yield from _by_split(level, protocol, truths[level], [*beside, *methods])


def _on_same_items(controls: Sequence[Predicted], methods: Sequence[Predicted], protocol: str) -> list[Predicted]:
    item = _items(methods)
    renamed = [replace(control, name=control.name._replace(protocol=protocol)) for control in controls]
    return [restrict(control, item) for control in renamed]


def _items(methods: Iterable[Predicted]) -> Array:
    return np.unique(np.concatenate([predicted.item for predicted in methods]))


def _by_split(level: str, protocol: str, truth: Truth, methods: Sequence[Predicted]) -> Iterator[Table]:
    for split in SPLITS:
        scored = np.flatnonzero((truth.split == split) & (truth.label >= 0))
        kept = [restrict(predicted, scored) for predicted in methods]
        kept = [predicted for predicted in kept if len(predicted.item)]
        if kept:
            for name in ("frame", "participant") if level == "frame" else ("video",):
                yield Table(name, split, protocol, truth, kept)


# rows -------------------------------------------------------------------------------------------


def table_rows(table: Table, groups: dict[str, set[str]], config: EvaluateConfig) -> Iterator[Row]:
    """Rows of one table, group by group; groups of fewer than ``least_group`` people show their size only."""
    people = _scored_people(table)
    for group, flags in members(groups, table.truth.people[people]).items():
        chosen = people[flags]
        if group != EVERYONE and len(chosen) < config.least_group:
            yield from _too_few(table, group, len(chosen))
            continue
        draw = (config.seed, table.level, table.split, table.protocol, group)
        weights = resamples(len(chosen), config.bootstrap, "bootstrap", *draw)
        yield from _group_rows(table, group, chosen, weights)


def _scored_people(table: Table) -> Array:
    """Numbers of the participants with items in the table; at participant level, with positive ones."""
    item = _items(table.methods)
    if table.level == "participant":
        item = item[table.truth.label[item] == 1]
    return np.unique(table.truth.participant[item])


def _sample(truth: Truth, predicted: Predicted, people: Array) -> Sample:
    """A method's items of some participants, numbered in the order of ``people`` (sorted)."""
    number = np.full(len(truth.people), -1)
    number[people] = np.arange(len(people))
    who = number[truth.participant[predicted.item]]
    item, kept = predicted.item[who >= 0], who >= 0
    label, question = truth.label[item].astype(np.uint8), truth.question[item]
    return Sample(predicted.probability[kept], label, who[kept], question, len(people))


def _group_rows(table: Table, group: str, people: Array, weights: Array) -> Iterator[Row]:
    score = bootstrap.mean_scores if table.level == "participant" else bootstrap.scores
    reference = next((p for p in table.methods if p.name.method == REFERENCE), None)
    base = score(_sample(table.truth, reference, people), weights) if reference else {}
    for predicted in table.methods:
        sample = _sample(table.truth, predicted, people)
        values = base if predicted is reference else score(sample, weights)
        head = _head(table, predicted, group) | _sizes(table, sample)
        yield from (_row(head, metric, values[metric]) for metric in values)
        if reference is None or predicted is reference:
            continue
        mine, theirs = values, base
        if not np.array_equal(predicted.item, reference.item):
            common = np.intersect1d(predicted.item, reference.item, assume_unique=True)
            mine, theirs = (
                score(_sample(table.truth, restrict(p, common), people), weights) for p in (predicted, reference)
            )
        for metric in DIFFERENCES:
            yield _row(head, f"{metric}_minus_{REFERENCE}", mine[metric] - theirs[metric])


def _head(table: Table, predicted: Predicted, group: str) -> Row:
    return {
        "method": predicted.name.method,
        "modalities": predicted.name.modalities,
        "level": table.level,
        "split": table.split,
        "protocol": table.protocol,
        "group": group,
        "seeds": predicted.seeds,
        "model_set": predicted.name.model_set,
    }


def _sizes(table: Table, sample: Sample) -> Row:
    people = len(np.unique(sample.participant))
    return {
        "n": people if table.level == "participant" else len(sample.label),
        "participants": people,
        "positives": int(sample.label.sum()),
        "predicted_positives": int((sample.probability > 0.5).sum()),
    }


def _row(head: Row, metric: str, values: Array) -> Row:
    value, low, high = (number if math.isfinite(number) else None for number in interval(values))
    return {**head, "metric": metric, "value": value, "low": low, "high": high}


def _too_few(table: Table, group: str, people: int) -> Iterator[Row]:
    """Rows that tell the size of a small group and nothing else of it: counts are 0, scores null."""
    empty = {"value": None, "low": None, "high": None, "positives": 0, "predicted_positives": 0}
    for predicted in table.methods:
        for metric in METRICS:
            yield {**_head(table, predicted, group), **empty, "metric": metric, "n": people, "participants": people}


def _write_json(path: Path, rows: Sequence[Row]) -> None:
    ordered = [{name: row[name] for name in SCORES.names} for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, path)
