"""No score of few people: neither by itself, nor as the difference of two that are shown.

A score is withheld where it rests on fewer than ``evaluate.least_group`` people. Groups that divide everyone (by sex,
age or language) tell more: everyone without the groups that are shown is a group as well. Where this remainder is
small, the smallest group that is shown is withheld too (secondary suppression, as in official statistics).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from waver.evaluation.bootstrap import Sample
from waver.evaluation.disclosure import without_disclosive
from waver.evaluation.groups import EVERYONE
from waver.evaluation.method_tables import METHOD_FIELDS, Table
from waver.evaluation.paired_resamples import Paired
from waver.evaluation.predictions import Method, Predicted
from waver.evaluation.segments import SEGMENT_METRICS, who_with
from waver.io.zarr_store import Array

Row = dict[str, Any]

WITHIN = ("AUROC_within", "AVGF1_within")
"""Scores inside each question: answers to questions after which everybody shows A/H, or nobody, tell nothing."""

PEOPLE, BEHIND, MEMBERS = "_people", "_behind", "_members"
"""Columns of rows until they are written: number of people with items of the method, number of people that a score is
made of, and who these are (numbers; absent where it is not known)."""

COUNTED = "_counted"
"""Column of rows until they are written: whether the counts of positives may be told (``with_counts``)."""

COUNTS = ("n", "participants", "positives", "predicted_positives")
_METHOD = tuple(field.name for field in METHOD_FIELDS)


def people_behind(
    paired: Paired, predicted: Predicted, item: Array, metrics: Iterable[str]
) -> dict[str, frozenset[int]]:
    """People whose items each score is made of, by their numbers.

    Args:
        paired: the people of the table, or of a group of them.
        predicted: a method of the table.
        item: numbers of its items that are scored.
        metrics: of ``Paired.metrics``, perhaps with ``_sd``.
    """
    if paired.table.level == "participant":
        own = paired.own(predicted, item)
        return {metric: _among(paired, np.isfinite(own[metric.removesuffix("_sd")])) for metric in metrics}
    sample = paired.sample(predicted, item)
    mixed = sample.take(_in_mixed_strata(sample))
    everyone, within = (_among(paired, np.unique(part.participant)) for part in (sample, mixed))
    behind = {metric: within if metric in WITHIN else everyone for metric in metrics}
    if not behind.keys().isdisjoint(SEGMENT_METRICS):
        counts = paired.segment_counts(predicted, item)
        behind |= {metric: _among(paired, who) for metric, who in who_with(counts).items()}
    return behind


def with_counts(table: Table, least: int) -> set[Method]:
    """Methods of a table whose counts of positives may be told together.

    Where one method lacks the items of a few people, the difference of both counts is about these people, and counts of
    several methods can be combined to tell about items that some of them have. So each part into which the items fall,
    by the methods that have them, is of enough people. Counts of the items that most methods have come first.
    """
    whose: dict[bytes, list[Predicted]] = defaultdict(list)
    for predicted in table.methods:
        whose[predicted.item.tobytes()].append(predicted)
    published: list[Array] = []
    names: set[Method] = set()
    for methods in sorted(whose.values(), key=lambda methods: (-len(methods), -len(methods[0].item))):
        item = methods[0].item
        if all(people >= least for people in _people_of_parts(table, [*published, item])):
            published.append(item)
            names |= {predicted.name for predicted in methods}
    return names


def _people_of_parts(table: Table, sets: Sequence[Array]) -> Iterator[int]:
    """Number of people behind the items of each part: those that are in the same of the sets, and in one at least."""
    items = np.unique(np.concatenate(sets))
    _, part = np.unique(np.stack([np.isin(items, own) for own in sets]), axis=1, return_inverse=True)
    for number in range(part.max() + 1 if len(items) else 0):
        yield len(np.unique(table.truth.participant[items[part == number]]))


def _among(paired: Paired, who: Array) -> frozenset[int]:
    return frozenset(paired.people[who].tolist())


def _in_mixed_strata(sample: Sample) -> Array:
    """Items of questions with both classes, bool [n]."""
    known = sample.stratum >= 0
    mixed = np.intersect1d(sample.stratum[known & (sample.label > 0)], sample.stratum[known & (sample.label == 0)])
    return np.isin(sample.stratum, mixed)


def withhold(rows: Iterable[Row], least: int) -> Iterator[Row]:
    """Rows of scores of one table without what few people made; their number and order stay.

    Scores that may not be shown become null. Groups have no counts: two groups' counts give a third one's.

    Args:
        rows: rows of SCORES with PEOPLE and BEHIND, all groups of a table.
        least: ``evaluate.least_group``.
    """
    everything = list(rows)
    scored: dict[tuple[Any, ...], dict[str, Row]] = defaultdict(dict)
    for row in everything:
        scored[*(row[name] for name in _METHOD), row["metric"]][row["group"]] = row
    shown = {id(groups[name]) for groups in scored.values() for name in _shown(groups, least)}
    for row in everything:
        hidden = id(row) not in shown
        kept = {name: value for name, value in row.items() if name not in (PEOPLE, BEHIND, MEMBERS, COUNTED)}
        if hidden:
            kept |= dict.fromkeys(("value", "low", "high"))
        if row["group"] != EVERYONE:
            kept |= dict.fromkeys(COUNTS)
        elif row[PEOPLE] < least or not row.get(COUNTED, True):
            kept |= dict.fromkeys(("positives", "predicted_positives"))
        yield kept


def _shown(groups: Mapping[str, Row], least: int) -> set[str]:
    """The groups, everyone among them, whose score may be shown."""
    large = {name for name, row in groups.items() if min(row[PEOPLE], row[BEHIND]) >= least}
    partitions: dict[str, list[str]] = defaultdict(list)
    for name in large - {EVERYONE}:
        partitions[name.partition("=")[0]].append(name)
    if EVERYONE in large:
        for names in partitions.values():
            large -= _revealing(names, groups, least)
    members = {name: groups[name][MEMBERS] for name in large if MEMBERS in groups[name]}
    return large - (members.keys() - without_disclosive(members, least, EVERYONE))


def _revealing(names: Sequence[str], groups: Mapping[str, Row], least: int) -> set[str]:
    """Groups of a partition, the smallest first, without whose scores the remainder is large or empty."""
    left = sorted(names, key=lambda name: (groups[name][BEHIND], groups[name][PEOPLE], name))
    dropped: set[str] = set()
    while left and any(0 < _rest(left, groups, column) < least for column in (PEOPLE, BEHIND)):
        dropped.add(left.pop(0))
    return dropped


def _rest(names: Sequence[str], groups: Mapping[str, Row], column: str) -> int:
    return int(groups[EVERYONE][column] - sum(groups[name][column] for name in names))


_OF_BOOTSTRAP = ("difference", "low", "high", "p_bootstrap", "p_holm", "least_p_holm")
_OF_WILCOXON = ("improved", "shift", "p_wilcoxon", "p_wilcoxon_holm", "least_p_wilcoxon_holm")


def without_few(row: Row, behind: int, least: int) -> Row:
    """A row of the comparisons, null where a number rests on few people.

    Args:
        row: of COMPARISONS.
        behind: people whose items the difference is made of.
        least: ``evaluate.least_group``.
    """
    hidden = (*(_OF_BOOTSTRAP if behind < least else ()), *(_OF_WILCOXON if row["n_participants"] < least else ()))
    return {**row, **dict.fromkeys(hidden)}
