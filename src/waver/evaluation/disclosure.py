"""What cells of tables tell together: the one rule by which figures, tables and scores leave out what is of few people.

A cell (a group, a bin, a question) is told if nobody or at least ``evaluate.least_group`` people are behind it. Where
the total is known, all cells that are not told follow from it together: they have to be of that many people as well,
and cells are withheld until they are (secondary suppression, as in official statistics). Groups that overlap, by sex
and by age, can be combined in more ways; ``without_disclosive`` looks for those that leave few people.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Set
from functools import cache
from itertools import combinations
from typing import Any, TypeVar

import numpy as np

from waver.io.zarr_store import Array

Cell = TypeVar("Cell", bound=Hashable)
_MOST_PATTERNS = 4
"""Patterns of membership that are looked at together."""
_EXACT = 1e-9


def disclosed(cells: Mapping[Cell, Collection[Any]], least: int) -> set[Cell]:
    """Cells that may be told where their total is known, too.

    Args:
        cells: cell -> people behind it; a person may be behind several, and repetitions count once.
        least: ``evaluate.least_group``.
    """
    people = {cell: set(who) for cell, who in cells.items()}
    hidden = {cell for cell, who in people.items() if 0 < len(who) < least}
    shown = sorted((cell for cell, who in people.items() if len(who) >= least), key=lambda cell: -len(people[cell]))
    while shown and 0 < len(set().union(*(people[cell] for cell in hidden))) < least:
        hidden.add(shown.pop())
    return people.keys() - hidden


def disclosed_splits(people: Mapping[str, Set[Any]], least: int) -> set[str]:
    """Which of train, val, test and all may have their numbers of A/H told, beside the scores.

    The scores tell them of train and val together (cross-validation), and of val and test where these are not few.

    Args:
        people: split -> participants.
        least: ``evaluate.least_group``.
    """
    train, val, test = (people.get(split, set()) for split in ("train", "val", "test"))
    shown = {"train", "val", "test", "all"}
    if any(0 < len(part) < least for part in (train, val)):
        shown -= {"train", "val"}
    if any(0 < len(part) < least for part in (test, train | val)):
        shown -= {"test", "all"}
    return shown


def without_disclosive(groups: Mapping[str, frozenset[int]], least: int, kept: str) -> set[str]:
    """Groups no sum or difference of which is of few people; of those that tell something, the smallest goes.

    Combinations are found that leave up to four patterns of membership (who is in the same groups is of one pattern),
    and differences of two groups.

    Args:
        groups: name -> the people in it.
        least: ``evaluate.least_group``.
        kept: a group that stays.
    """
    return set(_without_disclosive(frozenset(groups.items()), least, kept))


@cache
def _without_disclosive(groups: frozenset[tuple[str, frozenset[int]]], least: int, kept: str) -> frozenset[str]:
    left = dict(groups)
    while len(left) > 1 and (risky := _disclosive(left, least) - {kept}):
        del left[min(risky, key=lambda name: (len(left[name]), name))]
    return frozenset(left)


def _disclosive(groups: Mapping[str, frozenset[int]], least: int) -> set[str]:
    """Groups of one combination that leaves few people; empty where there is none."""
    for (one, people), (other, others) in combinations(groups.items(), 2):
        if (people <= others or others <= people) and 0 < len(people ^ others) < least:
            return {one, other}
    names = sorted(groups)
    everyone = sorted(frozenset().union(*groups.values()))
    member = np.array([[person in groups[name] for person in everyone] for name in names], float)
    patterns, size = np.unique(member, axis=1, return_counts=True)
    for left in _combined(patterns, size, least):
        wanted = np.zeros(patterns.shape[1])
        wanted[list(left)] = _only(patterns, left)
        weight = np.linalg.lstsq(patterns.T, wanted, rcond=None)[0]
        return {name for name, own in zip(names, weight, strict=True) if abs(own) > _EXACT**0.5}
    return set()


def _span(patterns: Array) -> Array:
    """Projection on all combinations of groups, float64 [patterns, patterns]."""
    projection: Array = np.linalg.pinv(patterns) @ patterns
    return projection


def _combined(patterns: Array, size: Array, least: int) -> Iterator[tuple[int, ...]]:
    """Sets of patterns of few people that some combination of the groups consists of."""
    projection = _span(patterns)
    small = np.flatnonzero((size < least) & (np.diag(projection) > _EXACT))
    for count in range(1, min(_MOST_PATTERNS, least - 1) + 1):
        sets = np.array([one for one in combinations(small, count) if size[list(one)].sum() < least], int)
        if len(sets):
            largest = np.linalg.eigvalsh(projection[sets[:, :, None], sets[:, None, :]])[:, -1]
            yield from (tuple(one) for one in sets[largest > 1 - _EXACT])


def _only(patterns: Array, left: tuple[int, ...]) -> Array:
    """The combination itself, on its patterns."""
    own = _span(patterns)[np.ix_(left, left)]
    found: Array = np.linalg.eigh(own)[1][:, -1]
    return found
