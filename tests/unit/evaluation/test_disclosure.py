"""Cells of tables, and combinations of groups, that would leave a few people."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from waver.evaluation.disclosure import disclosed, disclosed_splits, without_disclosive

LEAST = 5


def _people(*ranges: tuple[int, int]) -> frozenset[int]:
    return frozenset(number for first, end in ranges for number in range(first, end))


EVERYONE = _people((0, 40))
OVERLAPS = {
    "a group without another one": {"age=a": _people((0, 12)), "sex=m": _people((0, 13))},
    "two of one kind and one of another": {
        "age=a": _people((0, 10)), "age=b": _people((10, 20)), "language=fr": _people((0, 21)),
    },
    "everyone without two": {"age=a": _people((0, 20)), "language=fr": _people((20, 38))},
    "a hidden remainder": {"age=a": _people((0, 30)), "sex=m": _people((30, 40), (0, 1))},
    "two kinds of three groups": {
        "age=a": _people((0, 10)), "age=b": _people((10, 20)), "age=c": _people((20, 40)),
        "language=fr": _people((0, 10), (39, 40)),
    },
    "few and not one": {"age=a": _people((0, 20)), "sex=m": _people((0, 17))},
}  # fmt: skip


@pytest.mark.parametrize("groups", OVERLAPS.values(), ids=OVERLAPS)
def test_groups_that_overlap_do_not_leave_few_people(groups):
    shown = without_disclosive({"all": EVERYONE, **groups}, LEAST, "all")
    assert "all" in shown
    assert len(groups) - 1 <= len(shown) <= len(groups), "one or two go"


def test_groups_that_leave_many_stay():
    groups = {"all": EVERYONE, "sex=f": _people((0, 20)), "sex=m": _people((20, 40)), "age=a": _people((10, 30))}
    assert without_disclosive(groups, LEAST, "all") == set(groups)
    assert without_disclosive({"all": EVERYONE, "sex=m": _people((0, 39))}, 1, "all") == {"all", "sex=m"}


@pytest.mark.parametrize("seed", range(12))
def test_no_small_sum_or_difference_of_groups_is_left(seed):
    draw = np.random.default_rng(seed)
    people = np.arange(14)
    groups = {"all": frozenset(people.tolist())}
    for name, parts in (("age", 3), ("sex", 2), ("language", 2)):
        of = draw.integers(0, parts, len(people))
        groups |= {f"{name}={part}": frozenset(people[of == part].tolist()) for part in range(parts)}
    groups = {name: who for name, who in groups.items() if len(who) >= LEAST}
    shown = sorted(without_disclosive(groups, LEAST, "all"))
    member = np.array([[person in groups[name] for person in people] for name in shown], int)
    for weights in product((-1, 0, 1), repeat=len(shown)):
        behind = np.flatnonzero(np.array(weights) @ member)
        assert not 0 < len(behind) < LEAST, dict(zip(shown, weights, strict=True))


def test_cells_whose_rest_would_be_few_are_withheld():
    cells = {"a": "abcdefg", "b": "abcde", "c": "ab", "none": ""}
    assert disclosed(cells, LEAST) == {"a", "none"}, "c follows from the total and both others"
    assert disclosed({"a": "abcdefg", "c": "ab", "d": "cde"}, LEAST) == {"a"}, "two hidden ones are of five together"
    assert disclosed({"a": "abcde", "b": "ab"}, LEAST) == set()
    assert disclosed({"a": "abcde", "b": "fghij"}, LEAST) == {"a", "b"}
    assert disclosed({"a": "aaaaa"}, LEAST) == set(), "one person five times"


@pytest.mark.parametrize(
    ("sizes", "shown"),
    [
        ((9, 5, 6), {"train", "val", "test", "all"}),
        ((9, 3, 6), {"test", "all"}),
        ((9, 6, 2), {"train", "val"}),
        ((9, 3, 2), set()),
        ((2, 2, 20), set()),
        ((9, 0, 6), {"train", "val", "test", "all"}),
    ],
)
def test_splits_of_few_people_do_not_follow_from_the_others(sizes, shown):
    names = ("train", "val", "test")
    assert disclosed_splits({name: set(range(size)) for name, size in zip(names, sizes, strict=True)}, LEAST) == shown
