"""Scores of every method and control with intervals: the one table that all others are made from."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from waver.config.sections import EvaluateConfig
from waver.evaluation.bootstrap import BIASED, Sample, interval
from waver.evaluation.comparisons import COMPARISONS, REFERENCES, comparison_rows
from waver.evaluation.control_names import REFERENCE
from waver.evaluation.decomposition import DECOMPOSITION, decomposition_rows
from waver.evaluation.groups import EVERYONE, group_names, members
from waver.evaluation.labels import frame_truth, video_truth
from waver.evaluation.method_tables import DIFFERENCES, SPLITS, Table, arrange, method_row
from waver.evaluation.paired_resamples import Paired, common_items
from waver.evaluation.predictions import Method, Predicted, prompt_sets, read_predictions
from waver.evaluation.reliability import CALIBRATION, calibration_rows, out_of_fold
from waver.evaluation.single_seeds import with_single_seeds
from waver.evaluation.small_groups import BEHIND, COUNTED, COUNTS, MEMBERS, PEOPLE, people_behind, with_counts, withhold
from waver.io.atomic import atomic_write
from waver.io.tables import ANSWERS, SCORES, read_tables, write_table
from waver.io.zarr_store import Array

Row = dict[str, Any]

log = logging.getLogger(__name__)


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
    """Score all predictions and write the scores table and the statistics.

    Frames are scored against the labels on the 24 fps clock, videos against the released label. A method
    without video-level predictions of its own gets them from its frames by ``config.video_rule``.
    At participant level each participant with positives is scored alone on their frames, and the mean and
    the sample standard deviation over participants are given (2026 paper, personalisation tables).
    Probabilities are averaged over the seeds before they are scored; mean and sample standard deviation of the
    scores of the single seeds are columns of each row. Scores that rest on few people are null
    (``waver.evaluation.small_groups``).

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
    write_table(outputs["scores"], rows, SCORES, {"prompt_sets": prompt_sets(predictions)})
    _write_json(outputs["json"], rows)
    write_statistics(everyone, config, outputs["comparisons"], outputs["calibration"], outputs["decomposition"])


def table_rows(everyone: Paired, groups: dict[str, set[str]], config: EvaluateConfig) -> Iterator[Row]:
    """Rows of one table, group by group, without scores of fewer than ``least_group`` people and groups' counts."""
    yield from withhold(_all_rows(everyone, groups, config), config.least_group)


def _all_rows(everyone: Paired, groups: dict[str, set[str]], config: EvaluateConfig) -> Iterator[Row]:
    table, people = everyone.table, everyone.people
    for group, flags in members(groups, table.truth.people[people]).items():
        chosen = people[flags]
        if group == EVERYONE:
            yield from _group_rows(everyone, group, with_counts(table, config.least_group))
        elif len(chosen) < config.least_group:
            yield from _too_few(table, everyone.metrics, group, len(chosen))
        else:
            yield from _group_rows(Paired(table, config, group, chosen), group)


def _group_rows(paired: Paired, group: str, counted: Collection[Method] = ()) -> Iterator[Row]:
    """Rows of everyone or of a group; ``counted``: methods whose counts may be told."""
    table = paired.table
    reference = next((p for p in table.methods if p.name.method == REFERENCE), None)
    for predicted in table.methods:
        values = paired.values(predicted, predicted.item)
        sample = paired.sample(predicted, predicted.item)
        head = _head(table, predicted, group) | _sizes(table, sample) | {PEOPLE: len(np.unique(sample.participant))}
        head[COUNTED] = predicted.name in counted
        behind = people_behind(paired, predicted, predicted.item, values)
        yield from (_row(head | _of(behind[metric]), metric, values[metric]) for metric in values)
        if reference is None or predicted is reference:
            continue
        item = common_items(predicted, reference)
        mine, theirs = (paired.values(method, item) for method in (predicted, reference))
        sides = [people_behind(paired, method, item, DIFFERENCES) for method in (predicted, reference)]
        for metric in DIFFERENCES:
            both = _of(frozenset.intersection(*(side[metric] for side in sides)))
            yield _row(head | both, f"{metric}_minus_{REFERENCE}", mine[metric] - theirs[metric])


def _of(people: frozenset[int]) -> Row:
    return {BEHIND: len(people), MEMBERS: people}


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


def _too_few(table: Table, metrics: Sequence[str], group: str, people: int) -> Iterator[Row]:
    """Rows of a small group, without anything of it."""
    empty: Row = {PEOPLE: people, BEHIND: people, **dict.fromkeys(("value", "low", "high", *COUNTS))}
    for predicted in table.methods:
        for metric in metrics:
            yield {**_head(table, predicted, group), **empty, "metric": metric}


def _write_json(path: Path, rows: Sequence[Row]) -> None:
    ordered = [{name: row[name] for name in SCORES.names} for row in rows]
    with atomic_write(path) as file:
        file.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")


def write_statistics(
    tables: Iterable[Paired],
    config: EvaluateConfig,
    comparisons: Path,
    calibration: Path,
    decomposition: Path,
    references: Sequence[str] = REFERENCES,
) -> None:
    """Write the statistics of all tables.

    Args:
        tables: all tables; values that a Paired has already are not computed again.
        config: resamples and seed, as for the scores.
        comparisons: Parquet file to write (COMPARISONS).
        calibration: Parquet file to write (CALIBRATION).
        decomposition: Parquet file to write (DECOMPOSITION).
        references: names of the methods that the others are compared with.
    """
    everything = list(tables)
    validated = out_of_fold(paired.table for paired in everything)
    compared: list[Row] = []
    reliable: list[Row] = []
    decomposed: list[Row] = []
    for paired in everything:
        table = paired.table
        log.info("%s, %s, %s: comparing %d methods", table.level, table.split, table.protocol, len(table.methods))
        compared.extend(comparison_rows(table, references, config, paired))
        reliable.extend(calibration_rows(table, validated, config, paired))
        decomposed.extend(decomposition_rows(table, config, paired))
    write_table(comparisons, compared, COMPARISONS)
    write_table(calibration, reliable, CALIBRATION)
    write_table(decomposition, decomposed, DECOMPOSITION)
