"""Cells of a paper's table: scores of this run, printed numbers, and scores of constants."""

from __future__ import annotations

from collections.abc import Sequence

from waver.evaluation.prevalence import constant_score
from waver.report.formatting import count, interval, score
from waver.report.papers.published import Cell as Printed
from waver.report.papers.published import PublishedTable, prevalence
from waver.report.ranking import MethodScores, seeds
from waver.report.tables.formats import Cell, Column
from waver.report.tables.results import COLUMNS

OWN_METRICS = ("AP", "AUROC_within")
"""Columns that no paper has: the usual average precision, and the score within questions."""
DIGITS = 4
NOTHING = Cell("–")
SCORE_PARTS = ("", " low", " high", " seed mean", " seed sd")


def columns_of(metrics: Sequence[str], group: str = "") -> list[Column]:
    """Columns of one group: each metric followed by the printed one, then further metrics, then counts."""
    columns = []
    for metric in metrics:
        columns.append(Column(COLUMNS[metric], group, SCORE_PARTS))
        columns.append(Column(f"{COLUMNS[metric]}, published", group, ("", " mark")))
    columns += [Column(COLUMNS[metric], group, SCORE_PARTS) for metric in OWN_METRICS]
    return [*columns, *counts_of(group)]


def counts_of(group: str = "") -> list[Column]:
    """The last columns of a group: number predicted positive, seeds, models."""
    return [Column("Predicted A/H", group, ("", " of")), Column("Seeds, models", group, ("", " models"))]


def our_cells(method: MethodScores | None, metrics: Sequence[str], note: int = 0) -> list[Cell]:
    """Scores with intervals, predicted positives, seeds and model set of a line; ``note`` is that of the first cell."""
    if method is None:
        return [Cell("–", note=note), *[NOTHING] * (len(metrics) + 1)]
    about = method.any
    predicted, n = about["predicted_positives"], about["n"]
    constant = {0: "= all-negative", n: "= all-positive"}.get(predicted, "") if not method.control else ""
    counted = f"of {count(n)}\n{constant}".strip()
    seeds = Cell(str(about["seeds"]), about["model_set"], (about["seeds"], about["model_set"]))
    scored = [scored_cell(method, metric) for metric in metrics]
    scored[0] = Cell(scored[0].text, scored[0].below, scored[0].values, note=note)
    values = ("" if predicted is None else predicted, n)
    return [*scored, Cell(count(predicted), counted, values, marked=bool(constant)), seeds]


def scored_cell(method: MethodScores, metric: str) -> Cell:
    """One score, its interval, and the scores of the single seeds."""
    value = method.value(metric)
    if value is None:
        return NOTHING
    row = method.scores[metric]
    below = "\n".join(filter(None, [interval(row["low"], row["high"]), seeds(row, DIGITS)]))
    known = [value, *(row.get(name) for name in ("low", "high", "seed_mean", "seed_sd"))]
    return Cell(score(value, DIGITS), below, tuple("" if number is None else number for number in known))


def printed_cell(cell: Printed | None) -> Cell:
    """A published number and its mark."""
    if cell is None:
        return NOTHING
    mark = f"= {cell.mark}" if cell.mark else ""
    return Cell(score(cell.value, DIGITS), mark, (cell.value, cell.mark), marked=bool(cell.mark))


def constants(control: str, printed: PublishedTable) -> list[Cell]:
    """Scores of a control with one answer on the paper's own test set, computed from its prevalence."""
    positive = {"all_negative": False, "all_positive": True}.get(control)
    if positive is None:
        return [NOTHING] * len(printed.metrics)
    share = prevalence(printed.release, printed.level)
    values = [constant_score(metric, share, positive) for metric in printed.metrics]
    return [NOTHING if v is None else Cell(score(v, DIGITS), "computed", (v, "computed")) for v in values]
