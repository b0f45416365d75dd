"""Scores of every method with intervals, controls beside them: the one table of which all others are made."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from waver.config.sections import EvaluateConfig
from waver.evaluation.bootstrap import BIASED, METRICS, Sample, interval
from waver.evaluation.groups import EVERYONE, group_names, members
from waver.evaluation.names import REFERENCE
from waver.evaluation.paired import Paired, common_items
from waver.evaluation.predictions import Predicted, read_predictions
from waver.evaluation.single_seeds import with_single_seeds
from waver.evaluation.statistics import write_statistics
from waver.evaluation.table import DIFFERENCES, SPLITS, Table, arrange, method_row
from waver.evaluation.truth import frame_truth, video_truth
from waver.store.arrays import Array
from waver.store.tables import ANSWERS, SCORES, read_tables, write_table
from waver.store.whole import written_whole

Row = dict[str, Any]


def score_predictions(
    predictions: Sequence[Path],
    indexes: Sequence[Path],
    packs: Path,
    participants: Path,
    answers: Sequence[Path],
    config: EvaluateConfig,
    outputs: Mapping[str, Path],
    models: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Score all predictions and write the scores table and the statistics beside it.

    Frames are scored against the labels on the 24 fps clock, videos against the released label. A method
    without video-level predictions of its own gets them from its frames by ``config.video_rule``.
    At participant level each participant with positives is scored alone on their frames, and the mean and
    the sample standard deviation over participants are given (2026 paper, personalisation tables).
    Probabilities are averaged over the seeds before they are scored; mean and sample standard deviation of the
    scores of the single seeds stand beside each score.

    Args:
        predictions: predictions files, the controls' among them.
        indexes: pack index of every shard.
        packs: folder of the packs.
        participants: participants table, for the groups.
        answers: ANSWERS tables, for the video labels and the languages.
        config: bootstrap, video-level rule, least size of a group.
        outputs: Parquet files to write: ``scores``, ``comparisons``, ``calibration``, ``decomposition``;
            and ``json``: the scores as a JSON list of objects.
        models: ``TrainedModel.record`` of the models of frames among the methods.

    Raises:
        WaverError: a predictions file does not fit the packs.
    """
    truths = {"frame": frame_truth(indexes, packs, SPLITS), "video": video_truth(answers, SPLITS)}
    groups = group_names(participants, read_tables(answers, ANSWERS))
    found = read_predictions(predictions, truths, models)
    tables = arrange(found, truths, config.window_frames, config.video_rule)
    everyone = [Paired(table, config) for table in tables]
    scored = [row for paired in everyone for row in table_rows(paired, groups, config)]
    rows = list(with_single_seeds(scored, everyone, truths, groups, config))
    write_table(outputs["scores"], rows, SCORES)
    _write_json(outputs["json"], rows)
    write_statistics(everyone, config, outputs["comparisons"], outputs["calibration"], outputs["decomposition"])


def table_rows(everyone: Paired, groups: dict[str, set[str]], config: EvaluateConfig) -> Iterator[Row]:
    """Rows of one table, group by group; groups of fewer than ``least_group`` people show their size only."""
    table, people = everyone.table, everyone.people
    for group, flags in members(groups, table.truth.people[people]).items():
        chosen = people[flags]
        if group == EVERYONE:
            yield from _group_rows(everyone, group)
        elif len(chosen) < config.least_group:
            yield from _too_few(table, group, len(chosen))
        else:
            yield from _group_rows(Paired(table, config, group, chosen), group)


def _group_rows(paired: Paired, group: str) -> Iterator[Row]:
    table = paired.table
    reference = next((p for p in table.methods if p.name.method == REFERENCE), None)
    for predicted in table.methods:
        values = paired.values(predicted, predicted.item)
        head = _head(table, predicted, group) | _sizes(table, paired.sample(predicted, predicted.item))
        yield from (_row(head, metric, values[metric]) for metric in values)
        if reference is None or predicted is reference:
            continue
        item = common_items(predicted, reference)
        mine, theirs = (paired.values(method, item) for method in (predicted, reference))
        for metric in DIFFERENCES:
            yield _row(head, f"{metric}_minus_{REFERENCE}", mine[metric] - theirs[metric])


def _head(table: Table, predicted: Predicted, group: str) -> Row:
    return {**method_row(table, predicted), "group": group, "seeds": predicted.seeds}


def _sizes(table: Table, sample: Sample) -> Row:
    people = len(np.unique(sample.participant))
    return {
        "n": people if table.level == "participant" else len(sample.label),
        "participants": people,
        "positives": int(sample.label.sum()),
        "predicted_positives": int((sample.probability > 0.5).sum()),
    }


def _row(head: Row, metric: str, values: Array) -> Row:
    value, low, high = (number if math.isfinite(number) else None for number in interval(values, metric in BIASED))
    return {**head, "metric": metric, "value": value, "low": low, "high": high}


def _too_few(table: Table, group: str, people: int) -> Iterator[Row]:
    """Rows that tell the size of a small group and nothing else of it: counts are 0, scores null."""
    empty = {"value": None, "low": None, "high": None, "positives": 0, "predicted_positives": 0}
    for predicted in table.methods:
        for metric in METRICS:
            yield {**_head(table, predicted, group), **empty, "metric": metric, "n": people, "participants": people}


def _write_json(path: Path, rows: Sequence[Row]) -> None:
    ordered = [{name: row[name] for name in SCORES.names} for row in rows]
    with written_whole(path) as file:
        file.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
