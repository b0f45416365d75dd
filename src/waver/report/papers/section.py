"""The page's section on the papers' tables, and the table of costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from waver.report.formatting import SPLITS, listed
from waver.report.tables.formats import FORMS, TableData, read_table_index, with_ours
from waver.report.tables.names import FIGURE

FOLDER = "tables"
"""Folder of the files, next to the page."""


@dataclass(frozen=True)
class ShownPaperTable:
    """One table of a paper: its first split, the others, and its files as (form, link)."""

    first: TableData
    others: tuple[tuple[str, TableData], ...]
    files: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Papers:
    """The tables on the page.

    Attributes:
        shown: tables with a line of this run.
        empty: sentence on the others; empty where there are none.
        compute: the table of costs; None where nothing was trained.
    """

    shown: tuple[ShownPaperTable, ...] = ()
    empty: str = ""
    compute: ShownPaperTable | None = None

    @property
    def fullest(self) -> str:
        """Name of the table with most lines of this run, which the page shows open."""
        return max(self.shown, key=lambda table: table.first.ours).first.name if self.shown else ""


def papers_section(index: Path | None) -> Papers:
    """Tables of ``tables.json`` for the page; none without the file."""
    if index is None:
        return Papers()
    tables = read_table_index(index)
    filled = [_shown(splits) for splits in with_ours(tables)]
    missing = [splits[0].title for splits in tables if not any(table.ours for table in splits)]
    text = f"Not shown, because this run has no line for them: {listed(missing)}." if missing else ""
    return Papers(
        shown=tuple(table for table in filled if table.first.split),
        empty=text,
        compute=next((table for table in filled if not table.first.split), None),
    )


def _shown(tables: Sequence[TableData]) -> ShownPaperTable:
    name = tables[0].name
    forms = (*FORMS, *(["svg"] if name == FIGURE else []))
    return ShownPaperTable(
        first=tables[0],
        others=tuple((SPLITS[table.split].capitalize(), table) for table in tables[1:]),
        files=tuple((form, f"{FOLDER}/{name}.{form}") for form in forms),
    )
