"""Results tables as rows of cells, ready for the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from waver.evaluation.control_names import STANDARD
from waver.records import VisionLanguageRecord
from waver.registry import ADAPTATIONS
from waver.report.formatting import (
    SPLITS,
    count,
    interval,
    is_control,
    network_name,
    plural,
    score,
    share,
)
from waver.report.papers.published import Cell, PublishedTable, published, releases
from waver.report.ranking import COMPARABLE, MethodScores, ranked_methods, seeds

COLUMNS = {
    "AVGF1": "AVGF1",
    "AVGF1_equal": "AVGF1, equal counts",
    "WF1": "WF1",
    "F1": "F1",
    "AP": "AP",
    "AP_equal": "AP, equal counts",
    "AP_paper": "AP (papers')",
    "WAR": "WAR",
    "UAR": "UAR",
    "AUROC_within": "Within-question AUROC",
    "AVGF1_within": "Within-question AVGF1",
    "segment_F1_10": "Segment F1, overlap .1",
    "segment_F1_50": "Segment F1, overlap .5",
}


@dataclass(frozen=True)
class ShownCell:
    """One cell: number, the lines below it, sort key, and whether it is the best of its column."""

    text: str
    below: str
    key: float
    best: bool = False

    @property
    def sort_key(self) -> str:
        """The key as JavaScript reads it; never a plain integer, which might be somebody's id."""
        return f"{self.key:.9e}" if math.isfinite(self.key) else "-Infinity"


@dataclass(frozen=True)
class ShownRow:
    """The line of one method."""

    name: str
    note: str
    control: bool
    cells: tuple[ShownCell, ...]


@dataclass(frozen=True)
class ShownTable:
    """A results table.

    Attributes:
        heads: column headings after that of the method.
        methods, controls: its two bodies.
        first: heading of the first column.
    """

    caption: str
    heads: tuple[str, ...]
    methods: tuple[ShownRow, ...]
    controls: tuple[ShownRow, ...]
    first: str = "Method"


def results(scores: Sequence[dict[str, Any]], level: str, split: str, protocol: str = "standard") -> ShownTable | None:
    """The table of a level, split and protocol; None where nothing was scored there."""
    rows = ranked_methods(scores, level, split, protocol)
    if not rows:
        return None
    metrics = [metric for metric in COLUMNS if any(metric in row.scores for row in rows)]
    tops = {metric: max((_ranked(row, metric) for row in rows), default=float("-inf")) for metric in metrics}
    shown = [_row(row, metrics, tops, level, protocol != STANDARD) for row in rows]
    adapted = ("Network",) * (protocol != STANDARD)
    heads = (*adapted, *(COLUMNS[metric] for metric in metrics), "Predicted A/H", "Seeds")
    return ShownTable(
        caption=f"{_caption(rows[0], level, split, protocol)} {COMPARABLE}",
        heads=heads,
        methods=tuple(row for row in shown if not row.control),
        controls=tuple(row for row in shown if row.control),
    )


def _ranked(row: MethodScores, metric: str) -> float:
    value = row.value(metric)
    return value if row.ranked and value is not None else float("-inf")


def _row(row: MethodScores, metrics: Sequence[str], tops: dict[str, float], level: str, adapted: bool) -> ShownRow:
    cells = [ShownCell(network_name(row.network), "", float("-inf"))] * adapted
    cells += [_cell(row, metric, tops[metric], level) for metric in metrics]
    about = row.any
    predicted, n = about["predicted_positives"], about["n"]
    cells.append(
        ShownCell(
            count(predicted),
            "frames" if level == "participant" else f"of {count(n)}",
            float("-inf") if predicted is None else float(predicted),
        )
    )
    cells.append(ShownCell(str(about["seeds"]), "", float(about["seeds"])))
    note = "random weights: its scores mean nothing" if row.random else note_of(row.method, row.modalities)
    return ShownRow(row.name, note, row.control, tuple(cells))


def note_of(method: str, modalities: str) -> str:
    """What a reader must know of a method to interpret its numbers."""
    if method in ADAPTATIONS:
        record = ADAPTATIONS[method]
        resets = record.resets if isinstance(record, VisionLanguageRecord) else ""
        return f"sees {record.sees}; begins anew with each {resets}" if resets else f"sees {record.sees}"
    return "smoothed counts, threshold .5" if is_control(method) and modalities else ""


def _cell(row: MethodScores, metric: str, top: float, level: str) -> ShownCell:
    value = row.value(metric)
    if value is None:
        return ShownCell("–", "", float("-inf"))
    found = row.scores[metric]
    spread = row.value(f"{metric}_sd") if level == "participant" else None
    below = interval(found["low"], found["high"])
    sd = f"sd {score(spread, 2)}" if spread is not None else ""
    lines = "\n".join(filter(None, [sd, below, seeds(found)]))
    return ShownCell(score(value), lines, value, best=row.ranked and value == top)


def _caption(row: MethodScores, level: str, split: str, protocol: str) -> str:
    about = row.any
    sample = SPLITS.get(split, split).capitalize()
    people = plural(about["participants"], "participant")
    if split == "cv":
        people += " of train and val, each evaluated with models that were fitted on others"
    if level == "participant":
        scored = "all their frames" if protocol == "standard" else "frames held out from adaptation"
        return f"{sample}: mean over {people} with A/H, each scored on {scored}."
    items = plural(about["n"], level)
    return f"{sample}: {people}; {items}, {share(about['positives'], about['n'])} with A/H."


@dataclass(frozen=True)
class ShownPublished:
    """A published table."""

    title: str
    source: str
    main: bool
    heads: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[ShownCell, ...]], ...]
    remarks: tuple[str, ...]

    @property
    def settings(self) -> bool:
        """Whether any row has a setting."""
        return any(setting for _, setting, _ in self.rows)


def published_tables(level: str) -> list[ShownPublished]:
    """The papers' tables of a level."""
    return [_published(table) for table in published(level)]


def _published(table: PublishedTable) -> ShownPublished:
    release = releases()[table.release]
    sample = release.get(table.level, {})
    counted = f", {count(sample['n'])} {table.level}s" if sample else ""
    people = f"{table.release} participants, of whom {release['participants']['test']} in test"
    source = f"{table.paper}, {table.table}; {people}{counted}"
    rows = tuple(
        (f"{method} {'+'.join(modalities)}", setting, tuple(_printed(cell) for cell in cells))
        for method, modalities, setting, cells in table.rows
    )
    heads = tuple(COLUMNS[metric] for metric in table.metrics)
    return ShownPublished(table.title, source, table.main, heads, rows, table.remarks)


def _printed(cell: Cell | None) -> ShownCell:
    if cell is None:
        return ShownCell("–", "", float("-inf"))
    below = f"= {cell.mark}" if cell.mark else f"sd {score(cell.sd)}" if cell.sd is not None else ""
    return ShownCell(score(cell.value, 4), below, cell.value, best=bool(cell.mark))


def existing(*tables: tuple[str, ShownTable | None]) -> list[tuple[str, ShownTable]]:
    """Those of (label, table) that have a table."""
    return [(label, table) for label, table in tables if table is not None]
