"""The published cells of language models beside the constants of their test sets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from waver.evaluation.prevalence import constant_score
from waver.report.formatting import count, listed, score
from waver.report.papers.published import PublishedTable, avgf1_cells, prevalence, published
from waver.report.tables.results import ShownCell, ShownRow, ShownTable

NEAR = 0.01
"""A cell is hardly above the better constant up to this difference."""
_TITLE = "language model"
"""In the titles of the tables of published.yaml that are of models that are asked."""

EQUAL, NOT_ABOVE, NEAR_IT, ABOVE = "equals a constant", "not above a constant", "hardly above a constant", "above"


class PromptedCell(NamedTuple):
    """One published score.

    Attributes:
        table: the table it is printed in.
        name: model, letters and prompt.
        value: AVGF1 as printed, or computed from the printed F1 and WF1.
        constant: AVGF1 of the better constant predictor on that test set.
        mark: the constant that it equals; empty where there is none.
    """

    table: PublishedTable
    name: str
    value: float
    constant: float
    mark: str

    @property
    def verdict(self) -> str:
        """What the cell says beyond one answer for everything."""
        if self.mark:
            return EQUAL
        gap = self.value - self.constant
        return NOT_ABOVE if gap <= 0 else NEAR_IT if gap <= NEAR else ABOVE


def prompted_cells(level: str) -> list[PromptedCell]:
    """The published cells of language models at a level: frame or video."""
    return [cell for table in published(level) if _TITLE in table.title for cell in _cells(table)]


def _cells(table: PublishedTable) -> Iterator[PromptedCell]:
    share = prevalence(table.release, table.level)
    constant = max(constant_score("AVGF1", share, positive) or 0.0 for positive in (False, True))
    for (name, value), (*_, cells) in zip(avgf1_cells(table), table.rows, strict=True):
        yield PromptedCell(table, name, value, constant, next((cell.mark for cell in cells if cell and cell.mark), ""))


def plain_statement(cells: Sequence[PromptedCell]) -> str:
    """How many of some published cells say nothing, and which say something."""
    verdicts = [cell.verdict for cell in cells]
    level = f"{cells[0].table.level}s"
    above = sorted((cell for cell in cells if cell.verdict == ABOVE), key=lambda cell: -cell.value)
    others = [f"{count(verdicts.count(NOT_ABOVE))} more are not above the better such predictor"]
    if NEAR_IT in verdicts:
        others.append(f"{count(verdicts.count(NEAR_IT))} less than {score(NEAR, 2)} above it")
    quoted = " All of these had the transcript." if all("transcript" in cell.name for cell in above) else ""
    named = listed([f"{cell.name} ({cell.table.paper}, {score(cell.value, 4)})" for cell in above])
    return (
        f"Of {count(len(cells))} published scores of {level}, {count(verdicts.count(EQUAL))} equal that of a predictor "
        f"with one answer for all {level}, and carry no information; {' and '.join(others)}. "
        f"Further above it: {named}.{quoted}"
    )


def cell_table(level: str) -> ShownTable:
    """The published cells with their distance to the better constant."""
    rows = [_row(cell) for cell in prompted_cells(level)]
    caption = (
        f"Published {level}s: AVGF1 as printed, or computed from the printed F1 and WF1; the better constant is the "
        "higher of all-negative and all-positive on the same test set."
    )
    return ShownTable(caption, ("AVGF1", "Better constant", "Difference", "Verdict"), tuple(rows), ())


def _row(cell: PromptedCell) -> ShownRow:
    gap = cell.value - cell.constant
    sign = "" if not round(gap, 4) else "+" if gap > 0 else "−"
    cells = (
        ShownCell(score(cell.value, 4), f"= {cell.mark}" if cell.mark else "", cell.value),
        ShownCell(score(cell.constant, 4), "", cell.constant),
        ShownCell(sign + score(abs(gap), 4), "", gap),
        ShownCell(cell.verdict, "", gap),
    )
    return ShownRow(cell.name, f"{cell.table.paper}, {cell.table.table}", False, cells)
