"""Scores of the single seeds of each method, beside those of the probabilities averaged over them.

A published score is that of one model. An average of several models tends to score higher than each of
them, so what is to be held against the papers is the mean of the scores of the single seeds. The seeds are
read again one by one, so that no more than one is in memory, and scored once: without resamples.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from waver.config.sections import EvaluateConfig
from waver.evaluation.bootstrap import Sample, mean_scores, scores
from waver.evaluation.groups import EVERYONE, members
from waver.evaluation.names import REFERENCE
from waver.evaluation.paired import Paired, common_items
from waver.evaluation.predictions import Predicted, Source, read_seed, restrict, to_videos
from waver.evaluation.table import DIFFERENCES, METHOD_FIELDS, Table, method_row, sample_of
from waver.evaluation.truth import Truth
from waver.store.arrays import Array

Row = dict[str, Any]
Scores = dict[str, float]
Place = tuple[Paired, Predicted]
"""A table, and a method of it."""

_KEY = (*(field.name for field in METHOD_FIELDS), "group", "metric")


def with_single_seeds(
    rows: Iterable[Row],
    tables: Sequence[Paired],
    truths: Mapping[str, Truth],
    groups: Mapping[str, set[str]],
    config: EvaluateConfig,
) -> Iterator[Row]:
    """Rows of the table of scores with ``seed_mean`` and ``seed_sd``.

    Each seed is scored on the items that it judged; one that judged nothing of a table is left out of it. The
    standard deviation is that of a sample. Both are null where the score of a seed is undefined.

    Args:
        rows: rows of the scores of ``tables``, without these two.
        tables: of methods whose ``source`` is known where they have several seeds.
        truths: level -> truth, as for ``read_predictions``.
        groups: group -> participants.
        config: video-level rule, least size of a group.
    """
    alone = _seed_scores(tables, truths, groups, config)
    for row in rows:
        # sorted: sums of the same numbers are the same then, in whichever order the files came
        values = np.sort(alone.get(tuple(row[name] for name in _KEY), []))
        mean, spread = (row["value"] if row["seeds"] == 1 else None), None
        if len(values) and np.isfinite(values).all():
            mean = float(values.mean())
            spread = float(values.std(ddof=1)) if len(values) > 1 else None
        yield {**row, "seed_mean": mean, "seed_sd": spread}


def _seed_scores(
    tables: Sequence[Paired], truths: Mapping[str, Truth], groups: Mapping[str, set[str]], config: EvaluateConfig
) -> dict[tuple[Any, ...], list[float]]:
    """Scores of the seeds of every method that has several, by row."""
    places: dict[Source, list[Place]] = defaultdict(list)
    for paired in tables:
        for predicted in paired.table.methods:
            if predicted.seeds > 1 and predicted.source is not None:
                places[predicted.source].append((paired, predicted))
    found: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    controls: dict[tuple[int, str, int], Scores] = {}
    for source, here in places.items():
        for alone in _each_seed(source, here, truths, config):
            for paired, predicted in here:
                mine = restrict(alone[paired.table.truth.level], predicted.item)
                for group, people in _groups_shown(paired, groups, config.least_group).items():
                    about = {**method_row(paired.table, predicted), "group": group}
                    for metric, value in _group_scores(paired.table, mine, group, people, controls).items():
                        found[*about.values(), metric].append(value)
    return found


def _each_seed(
    source: Source, places: Sequence[Place], truths: Mapping[str, Truth], config: EvaluateConfig
) -> Iterator[dict[str, Predicted]]:
    """Level -> predictions of one seed, seed by seed; videos from frames where a table needs them."""
    levels = {paired.table.truth.level for paired, _ in places}
    for paths in source.seeds:
        alone = read_seed(places[0][1].name, truths[source.level], paths)
        found = {source.level: alone}
        if levels - found.keys():
            found["video"] = to_videos(alone, truths["frame"], truths["video"], config.window_frames, config.video_rule)
        yield found


def _groups_shown(paired: Paired, groups: Mapping[str, set[str]], least: int) -> dict[str, Array]:
    """Group -> numbers of its participants, of groups whose scores are shown."""
    found = members(dict(groups), paired.table.truth.people[paired.people])
    return {group: paired.people[flags] for group, flags in found.items() if group == EVERYONE or flags.sum() >= least}


def _group_scores(
    table: Table, mine: Predicted, group: str, people: Array, controls: dict[tuple[int, str, int], Scores]
) -> Scores:
    """Scores of one seed, and their differences to the content-free control on the items of both.

    Args:
        table: where the seed's method stands.
        mine: the seed's predictions.
        group: name of the people.
        people: int64 [S], numbers of the participants, sorted.
        controls: the control's scores by table, group and items, which grow here.
    """
    sample = sample_of(table.truth, mine, people)
    if not len(sample.label):
        return {}
    found = plain_scores(sample, table.level)
    reference = next((predicted for predicted in table.methods if predicted.name.method == REFERENCE), None)
    if reference is None:
        return found
    item = common_items(mine, reference)
    ours = found
    if len(item) < len(mine.item):
        ours = plain_scores(sample_of(table.truth, restrict(mine, item), people), table.level)
    key = id(table), group, hash(item.tobytes())
    if key not in controls:
        controls[key] = plain_scores(sample_of(table.truth, restrict(reference, item), people), table.level)
    return found | {f"{metric}_minus_{REFERENCE}": ours[metric] - controls[key][metric] for metric in DIFFERENCES}


def plain_scores(sample: Sample, level: str) -> Scores:
    """Every score of the items once, nan where undefined; at participant level means over people, and ``_sd``."""
    if level == "participant":
        values = mean_scores(sample, np.ones((1, sample.participants)))
    else:
        # nobody is drawn again, so items need not be told apart by person, which is much faster
        together = replace(sample, participant=np.zeros_like(sample.participant), participants=1)
        values = scores(together, np.ones((1, 1)))
    return {name: float(value[0]) for name, value in values.items()}
