"""Neither a small group's score nor two scores whose difference is a small group's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from made_table import made, made_truth, skilled

from waver.evaluation.bootstrap import Sample
from waver.evaluation.method_tables import METHOD_FIELDS, Table
from waver.evaluation.small_groups import BEHIND, COUNTS, PEOPLE, _in_mixed_strata, with_counts, withhold, without_few

LEAST = 5
METHOD = {field.name: None for field in METHOD_FIELDS}


def _rows(sizes: dict[str, int | tuple[int, int]], metric: str = "AVGF1", method: str = "lfan") -> list[dict[str, Any]]:
    """A score of every group; of (people, people behind the score)."""
    pairs = {group: size if isinstance(size, tuple) else (size, size) for group, size in sizes.items()}
    return [
        {**METHOD, "method": method, "metric": metric, "group": group, "value": 0.5, "low": 0.4, "high": 0.6,
         **dict.fromkeys(COUNTS, people), PEOPLE: people, BEHIND: behind}
        for group, (people, behind) in pairs.items()
    ]  # fmt: skip


def _shown(rows: list[dict[str, Any]], least: int = LEAST) -> set[str]:
    return {row["group"] for row in withhold(rows, least) if row["value"] is not None}


CASES = {
    "one French speaker": ({"all": 30, "language=en": 29, "language=fr": 1}, {"all"}),
    "nobody is left": ({"all": 30, "sex=Female": 20, "sex=Male": 10}, {"all", "sex=Female", "sex=Male"}),
    "one without a statement": ({"all": 31, "sex=Female": 20, "sex=Male": 10}, {"all", "sex=Female"}),
    "the next may be hidden": ({"all": 30, "age=a": 2, "age=b": 8, "age=c": 20}, {"all", "age=c"}),
    "hidden ones are many": ({"all": 30, "age=a": 3, "age=b": 4, "age=c": 23}, {"all", "age=c"}),
    "a partition does not hide another": (
        {"all": 30, "sex=F": 15, "sex=M": 15, "language=en": 28, "language=fr": 2}, {"all", "sex=F", "sex=M"},
    ),
    "few of the people have a score": ({"all": (30, 12), "sex=F": (20, 10), "sex=M": (10, 2)}, {"all"}),
    "everyone is few": ({"all": 4, "sex=F": 4}, set()),
    "everyone has few scores": ({"all": (30, 3), "sex=F": (20, 2)}, set()),
}  # fmt: skip


@pytest.mark.parametrize(("sizes", "shown"), CASES.values(), ids=CASES)
def test_what_is_shown(sizes, shown):
    assert _shown(_rows(sizes)) == shown


@pytest.mark.parametrize("seed", range(30))
def test_no_group_and_no_remainder_is_small(seed):
    draw = np.random.default_rng(seed)
    groups = {name: int(size) for name, size in zip("abcdef", draw.integers(1, 12, 6), strict=True)}
    unstated = int(draw.integers(0, 8))
    sizes = {"all": sum(groups.values()) + unstated, **{f"x={name}": size for name, size in groups.items()}}
    shown = _shown(_rows(sizes)) - {"all"}
    assert all(sizes[name] >= LEAST for name in shown)
    rest = sizes["all"] - sum(sizes[name] for name in shown)
    assert not shown or rest == 0 or rest >= LEAST


def test_every_method_and_metric_by_itself_and_nothing_else_changes():
    sizes = {"all": 30, "sex=F": 20, "sex=M": 10}
    rows = [
        *_rows(sizes),
        *_rows({**sizes, "sex=M": (10, 1)}, "AUROC_within"),
        *_rows({**sizes, "all": 32}, method="can"),
    ]
    found = list(withhold(rows, LEAST))
    assert [(row["method"], row["metric"], row["group"]) for row in found] == [
        (row["method"], row["metric"], row["group"]) for row in rows
    ]
    assert [row["value"] is None for row in found] == [False] * 3 + [False, False, True] + [False, False, True]
    assert all({row[name] for name in COUNTS} == {None} for row in found if row["group"] != "all")
    assert all(row["n"] == row["positives"] for row in found if row["group"] == "all")
    assert not {PEOPLE, BEHIND} & found[0].keys()


def test_few_people_have_no_counts_of_positives_but_their_number():
    (row,) = withhold(_rows({"all": 3}), LEAST)
    assert (row["participants"], row["n"], row["positives"], row["predicted_positives"]) == (3, 3, None, None)


def test_questions_with_one_class_are_behind_no_score_within_questions():
    stratum, label = np.array([1, 1, 2, 2, 3, -1, -1]), np.array([1, 0, 1, 1, 0, 1, 0], np.uint8)
    sample = Sample(np.full(7, 0.5), label, np.arange(7), stratum, 7)
    assert _in_mixed_strata(sample).tolist() == [True, True] + [False] * 5


def test_differences_of_few_people_are_null():
    row = {"difference": 0.1, "low": 0.0, "high": 0.2, "p_bootstrap": 0.3, "p_holm": 0.3, "least_p_holm": 0.1,
           "improved": 3, "shift": 0.1, "p_wilcoxon": 0.5, "p_wilcoxon_holm": 0.5, "least_p_wilcoxon_holm": 0.2,
           "n_participants": 4, "participants": 9}  # fmt: skip
    kept = without_few(row, 9, LEAST)
    assert (kept["difference"], kept["improved"], kept["shift"], kept["p_wilcoxon"]) == (0.1, None, None, None)
    assert without_few(row, 4, LEAST)["difference"] is without_few(row, 4, LEAST)["p_holm"] is None
    assert without_few(row, 4, 4) == row


def _of_people(*whose: str) -> Table:
    """A table of ten people; letters name the people whose items a method has."""
    truth = made_truth(people=10)
    margin = skilled(truth, 1.0, 0)
    methods = []
    for number, letters in enumerate(whose):
        own = ["abcdefghij".index(letter) for letter in letters]
        methods.append(made(truth, f"m{number}", margin, np.flatnonzero(np.isin(truth.participant, own))))
    return Table(truth.level, "cv", "standard", truth, methods)


@pytest.mark.parametrize(
    ("whose", "told"),
    [
        (["abcdefghij", "abcdefghij"], {0, 1}),
        (["abcdefghij", "abcdefghi"], {0}),  # the difference is one person
        (["abcdefghij", "abcde"], {0, 1}),
        (["abcdefghij", "abcdefghi", "abcdefghi"], {1, 2}),  # what most methods have
        (["abcdefghij", "fghij", "abcdj"], {0, 1}),  # the first from the others' sum: j without e
    ],
)
def test_counts_of_methods_whose_difference_is_few_people_are_not_told(whose, told):
    table = _of_people(*whose)
    assert with_counts(table, LEAST) == {table.methods[number].name for number in told}
