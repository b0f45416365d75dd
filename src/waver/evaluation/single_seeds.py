"""Scores of the single seeds of each method, next to those of the probabilities averaged over them.

A published score is that of one model. An average of several models tends to score higher than each of
them, so the mean of the scores of the single seeds is the number to compare with the papers. The seeds are
read again one by one, so that no more than one is in memory, and scored once: without resamples.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from waver.config.sections import EvaluateConfig
from waver.evaluation.bootstrap import METRICS, Sample, scores
from waver.evaluation.calibration import ece, mass_edges
from waver.evaluation.control_names import REFERENCE
from waver.evaluation.groups import EVERYONE, members
from waver.evaluation.labels import Truth
from waver.evaluation.method_tables import DIFFERENCES, METHOD_FIELDS, method_row, sample_of
from waver.evaluation.paired_resamples import Paired, common_items
from waver.evaluation.predictions import Predicted, Source, read_seed, restrict, to_videos
from waver.evaluation.segments import segment_counts, segment_scores
from waver.io.zarr_store import Array

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

    Each seed is scored on the items that it predicts; a seed without items of a table is not in it. The
    standard deviation is that of a sample. Both are null where the score is withheld, or that of a seed undefined.

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
        if row["value"] is not None and len(values) and np.isfinite(values).all():
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
    controls: dict[tuple[int, int], dict[str, Scores]] = {}
    for source, here in places.items():
        for alone in _each_seed(source, here, truths, config):
            for paired, predicted in here:
                mine = restrict(alone[paired.table.truth.level], predicted.item)
                shown = _groups_shown(paired, groups, config.least_group)
                for group, values in _of_one_seed(paired, mine, shown, controls).items():
                    about = {**method_row(paired.table, predicted), "group": group}
                    for metric, value in values.items():
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
    """Group -> which people of the table are in it, bool [S], of groups whose scores are shown."""
    found = members(dict(groups), paired.table.truth.people[paired.people])
    return {group: flags for group, flags in found.items() if group == EVERYONE or flags.sum() >= least}


def _of_one_seed(
    paired: Paired, mine: Predicted, groups: Mapping[str, Array], controls: dict[tuple[int, int], dict[str, Scores]]
) -> dict[str, Scores]:
    """Group -> scores of one seed, and their differences to the content-free control on the items of both.

    Args:
        paired: the table of the seed's method.
        mine: the seed's predictions.
        groups: group -> which people, bool [S].
        controls: the control's scores by table and items, which grow here.
    """
    found = _by_group(paired, mine, groups)
    reference = next((other for other in paired.table.methods if other.name.method == REFERENCE), None)
    if reference is None:
        return found
    item = common_items(mine, reference)
    ours = found if len(item) == len(mine.item) else _by_group(paired, restrict(mine, item), groups)
    key = id(paired), hash(item.tobytes())
    if key not in controls:
        controls[key] = _by_group(paired, restrict(reference, item), groups)
    for group, metric in product(ours, DIFFERENCES):
        found[group][f"{metric}_minus_{REFERENCE}"] = ours[group][metric] - controls[key][group][metric]
    return found


def _by_group(paired: Paired, predicted: Predicted, groups: Mapping[str, Array]) -> dict[str, Scores]:
    """Scores of the groups with any predicted item."""
    sample = sample_of(paired.table.truth, predicted, paired.people)
    found = _of_items(paired, sample, groups)
    if paired.has_segments:
        counts = segment_counts(paired.table.truth, predicted, paired.people)
        for group in found:
            found[group] |= _segments(paired, counts[groups[group]], sample.has_positive[groups[group]])
    return found


def _segments(paired: Paired, counts: Array, has_positive: Array) -> Scores:
    """Scores of segments of a group's people; at participant level, means and standard deviations over them."""
    if paired.table.level == "frame":
        return {name: float(value) for name, value in segment_scores(counts.sum(axis=0)).items()}
    return _spread({name: values[has_positive] for name, values in segment_scores(counts).items()})


def _spread(own: Mapping[str, Array]) -> Scores:
    """Mean and, with ``_sd``, sample standard deviation of people's own scores, of those who have one."""
    found: Scores = {}
    for name, values in own.items():
        known = values[np.isfinite(values)]
        found[name] = float(known.mean()) if len(known) else float("nan")
        found[f"{name}_sd"] = float(known.std(ddof=1)) if len(known) > 1 else float("nan")
    return found


def _of_items(paired: Paired, sample: Sample, groups: Mapping[str, Array]) -> dict[str, Scores]:
    # sorted once: the parts by group, person and question are then in order already
    sample = sample.take(np.argsort(-sample.probability, kind="stable"))
    parts = {group: sample.take(flags[sample.participant]) for group, flags in groups.items()}
    parts = {group: part for group, part in parts.items() if len(part.label)}
    if paired.table.level != "participant":
        return {group: _pooled_scores(part) for group, part in parts.items()}
    people = _people(sample)
    own = {who: _pooled_scores(one) for who, one in people.items()}
    return {group: _mean_scores(part, people, own) for group, part in parts.items()}


def _pooled_scores(sample: Sample) -> Scores:
    """Every score of the items, nan where undefined."""
    # without resamples items need no person: as items of one person they are scored faster
    together = replace(sample, participant=np.zeros_like(sample.participant), participants=1)
    return {name: float(values[0]) for name, values in scores(together, np.ones((1, 1))).items()}


def _people(sample: Sample) -> dict[int, Sample]:
    """Number of a person with positive items -> the items."""
    ends = np.cumsum(np.bincount(sample.participant, minlength=sample.participants))
    items = np.split(np.argsort(sample.participant, kind="stable"), ends[:-1])
    return {int(who): sample.take(items[who]) for who in np.flatnonzero(sample.has_positive)}


def _mean_scores(sample: Sample, people: Mapping[int, Sample], own: Mapping[int, Scores]) -> Scores:
    """Means over some people and, with ``_sd``, sample standard deviations, as ``bootstrap.mean_scores`` has them.

    That takes several times as long: it holds every person's items against everybody's.

    Args:
        sample: their items.
        people: person -> items.
        own: person -> scores.
    """
    edges, chosen = mass_edges(sample.probability), np.unique(sample.participant[sample.label > 0])
    alone: dict[str, Array] = {}
    for name in METRICS:
        # the bins of ECE are those of all items of the group
        values = [ece(people[who].probability, people[who].label, edges) if name == "ECE" else own[who][name]
                  for who in chosen]  # fmt: skip
        alone[name] = np.array(values)
    return _spread(alone)
