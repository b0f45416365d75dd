"""Comparisons of many methods: resamples follow the size of the family, and few people are not made certain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_table import made, made_table, made_truth, question_margin, skilled

from waver.config.sections import EvaluateConfig
from waver.evaluation import paired_resamples as paired_module
from waver.evaluation.bootstrap import interval
from waver.evaluation.comparisons import COMPARED, Row, comparison_rows
from waver.evaluation.method_tables import Table
from waver.evaluation.paired_resamples import Paired, common_items
from waver.evaluation.significance import LEVEL, Tails, holm

pytestmark = pytest.mark.slow

NULLS = 39
FEW = EvaluateConfig(bootstrap=100, least_group=1)


def _table(people: int, nulls: int, level: str = "video", frames: int = 1) -> Table:
    """A control, methods that are as good as it but for noise of the same size, and one that is better."""
    truth = made_truth(people=people, frames=frames, level="video" if level == "video" else "frame")
    question = question_margin(truth)
    margins = {"content_free": question + skilled(truth, 0.0, 1), "better": question + skilled(truth, 4.0, 2)}
    margins |= {f"null_{number}": question + skilled(truth, 0.0, 10 + number) for number in range(nulls)}
    return made_table(truth, margins, level=level)


@pytest.fixture(scope="module")
def table() -> Table:
    return _table(40, NULLS)


@pytest.fixture(scope="module")
def rows(table: Table) -> list[Row]:
    return list(comparison_rows(table, ("content_free",), FEW))


def test_one_of_forty_is_found_and_the_others_are_not(rows: list[Row]) -> None:
    assert {(row["metric"], row["methods_in_family"]) for row in rows} == {(metric, 40) for metric in COMPARED}
    assert {row["method"] for row in rows if row["p_holm"] < LEVEL} == {"better"}
    assert all(row["p_holm"] < LEVEL for row in rows if row["method"] == "better")
    # those whose p is far from small are settled by the first resamples
    resamples = {row["resamples"] for row in rows if row["method"] != "better"}
    assert min(resamples) == 100
    assert resamples <= {100, 8000}
    assert all(row["least_p_holm"] == pytest.approx(40 * 2 / 8001) for row in rows)


def test_the_resamples_of_p_begin_with_those_of_the_interval(table: Table, rows: list[Row]) -> None:
    long = Paired(table, EvaluateConfig(bootstrap=8000))
    np.testing.assert_array_equal(long.weights[:101], Paired(table, FEW).weights)
    for row in rows[: len(COMPARED)]:
        sides = [next(p for p in table.methods if p.name.method == row[name]) for name in ("method", "reference")]
        mine, theirs = (long.values(side, common_items(*sides))[row["metric"]] for side in sides)
        assert row["p_bootstrap"] == Tails.of((mine - theirs)[1:]).p
        assert (row["difference"], row["low"], row["high"]) == pytest.approx(interval((mine - theirs)[:101]), abs=1e-12)


def test_a_score_is_not_computed_further_than_a_family_needs(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    requested: list[tuple[str, frozenset[str]]] = []
    score = Paired.further_values
    monkeypatch.setattr(
        Paired,
        "further_values",
        lambda self, predicted, item, weights, wanted: (
            requested.append((predicted.name.method, frozenset(wanted)))
            or score(self, predicted, item, weights, wanted)
        ),
    )
    few = replace(table, methods=table.methods[:7])
    found = list(comparison_rows(few, ("content_free",), EvaluateConfig(bootstrap=1000, least_group=1)))
    small = {row["method"] for row in found if row["p_bootstrap"] < 2 * LEVEL}
    assert [row["resamples"] for row in found if row["method"] == "better"] == [1200] * len(COMPARED)
    assert {method for method, _ in requested} <= small | {"content_free"}
    assert dict(requested)["content_free"] == frozenset(COMPARED)
    requested.clear()
    few = replace(table, methods=table.methods[:6])
    found = list(comparison_rows(few, ("content_free",), EvaluateConfig(bootstrap=1000, least_group=1)))
    assert requested == []
    assert {row["resamples"] for row in found} == {1000}


def test_p_does_not_hang_on_the_blocks_it_is_drawn_in(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    few = replace(table, methods=table.methods[:9])
    found = []
    for block in (1000, 400):
        monkeypatch.setattr(paired_module, "FURTHER", block)
        found.append([row["p_bootstrap"] for row in comparison_rows(few, ("content_free",), FEW)])
    assert found[0] == found[1]


@pytest.mark.parametrize("level", ["frame", "participant"])
def test_frames_and_means_over_people_are_drawn_further_too(level: str) -> None:
    table = _table(20, 7, level, frames=5)
    found = list(comparison_rows(table, ("content_free",), FEW))
    long = Paired(table, EvaluateConfig(bootstrap=1600))
    for row in found:
        if row["method"] == "better":
            sides = [next(p for p in table.methods if p.name.method == row[name]) for name in ("method", "reference")]
            mine, theirs = (long.values(side, side.item)[row["metric"]] for side in sides)
            assert row["p_bootstrap"] == Tails.of((mine - theirs)[1:]).p
            assert row["p_holm"] < LEVEL


def test_rare_scores_of_few_resamples_are_found_as_well() -> None:
    """A/H in one person, none in one other: rankings are defined in 40 % of the resamples alone."""
    truth = made_truth(people=40)
    label = np.full(len(truth.label), -1, np.int8)
    label[truth.participant == 3], label[truth.participant == 8] = 1, 0
    rest = np.flatnonzero(~np.isin(truth.participant, (3, 8)))
    label[rest] = np.arange(len(rest)) % 2
    truth = replace(truth, label=label, question=np.where(np.isin(truth.participant, (3, 8)), 1, -1).astype(np.int8))
    margins = {"content_free": -skilled(truth, 4.0, 1)}
    margins |= {f"good_{number}": skilled(truth, 4.0, 2 + number) for number in range(8)}
    found = [
        row
        for row in comparison_rows(made_table(truth, margins), ("content_free",), FEW)
        if row["metric"] == "AUROC_within"
    ]
    assert all(0.3 * 1600 < row["resamples"] < 0.5 * 1600 for row in found)
    assert all(row["p_holm"] < LEVEL for row in found)


@pytest.mark.parametrize(("people", "reached"), [(5, False), (7, False), (8, True)])
def test_few_people_make_no_method_certain(people: int, reached: bool) -> None:
    """Signs of seven people cannot tell four methods apart: 4 x 2 / 2 ** 7 is .0625; those of eight can."""
    found = list(comparison_rows(_table(people, 3), ("content_free",), EvaluateConfig(bootstrap=1000, least_group=1)))
    by_people = 4 * 2 / 2**people
    for row in (row for row in found if row["metric"] != "AUROC_within"):  # with five folds, few people have it
        assert row["least_p_holm"] == pytest.approx(max(by_people, 4 * 2 / 1001))
        assert (row["least_p_holm"] < LEVEL) == reached
        assert row["p_holm"] >= row["least_p_holm"]
        if row["metric"] == "AVGF1":
            assert row["least_p_wilcoxon_holm"] == pytest.approx(by_people)
            assert row["p_wilcoxon_holm"] >= row["least_p_wilcoxon_holm"]


def test_a_method_with_few_people_has_its_own_least_p(table: Table) -> None:
    """The others lose nothing by it."""
    truth = table.truth
    some = np.flatnonzero(truth.participant < 4)
    part = made(truth, "part", question_margin(truth) + skilled(truth, 4.0, 5), some)
    few = replace(table, methods=[*table.methods[:4], part])
    found = [row for row in comparison_rows(few, ("content_free",), FEW) if row["metric"] == "AVGF1"]
    least = {row["method"]: (row["least_p_holm"], row["least_p_wilcoxon_holm"]) for row in found}
    assert least["part"] == (0.125, 0.125)
    assert max(least["better"]) < LEVEL
    expected = holm(np.array([2.0**-39] * 3 + [0.125]))
    assert least["better"][1] == pytest.approx(expected[0])


def test_a_method_whose_people_have_no_score_of_their_own_is_in_no_family_of_wilcoxon() -> None:
    """Wilcoxon's test corrects over the others alone, and says over how many."""
    whole = _table(12, 1, "frame", frames=5)
    truth = whole.truth
    negative = np.flatnonzero((truth.label == 0) & (truth.participant < 3))
    part = made(truth, "part", question_margin(truth) + skilled(truth, 4.0, 5), negative)
    rows = comparison_rows(replace(whole, methods=[*whole.methods, part]), ("content_free",), FEW)
    found = {row["method"]: row for row in rows if row["metric"] == "AVGF1"}
    assert found["part"]["p_bootstrap"] is not None
    assert {row["methods_in_family"] for row in found.values()} == {3}
    assert {name: row["methods_in_wilcoxon_family"] for name, row in found.items()} == {
        "better": 2,
        "null_0": 2,
        "part": 0,
    }
    assert found["better"]["least_p_wilcoxon_holm"] == 2 * 2.0**-11
