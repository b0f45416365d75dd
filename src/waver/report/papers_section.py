"""The page's section of the papers' tables, and the table of costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from waver.report.names import FIGURE
from waver.report.sheets import FORMS, Sheet, read_sheets, with_ours
from waver.report.wording import SPLITS, listed

FOLDER = "tables"
"""Where the files lie, beside the page."""


@dataclass(frozen=True)
class ShownSheets:
    """One table of a paper: the split to look at first, the others, and its files as (form, link)."""

    first: Sheet
    others: tuple[tuple[str, Sheet], ...]
    files: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Papers:
    """What the page shows.

    Attributes:
        shown: tables to which this run gave a line.
        empty: sentence on the others; empty where there are none.
        compute: the table of costs; None where nothing was trained.
    """

    shown: tuple[ShownSheets, ...] = ()
    empty: str = ""
    compute: ShownSheets | None = None

    @property
    def fullest(self) -> str:
        """Name of the table with most lines of ours, which is open when the page is."""
        return max(self.shown, key=lambda table: table.first.ours).first.name if self.shown else ""


def papers_section(index: Path | None) -> Papers:
    """What ``tables.json`` gives the page; nothing without it."""
    if index is None:
        return Papers()
    tables = read_sheets(index)
    filled = [_shown(sheets) for sheets in with_ours(tables)]
    missing = [sheets[0].title for sheets in tables if not any(sheet.ours for sheet in sheets)]
    told = f"Not shown, for nothing of this run belongs into them: {listed(missing)}." if missing else ""
    return Papers(
        shown=tuple(table for table in filled if table.first.split),
        empty=told,
        compute=next((table for table in filled if not table.first.split), None),
    )


def _shown(sheets: Sequence[Sheet]) -> ShownSheets:
    name = sheets[0].name
    forms = (*FORMS, *(["svg"] if name == FIGURE else []))
    return ShownSheets(
        first=sheets[0],
        others=tuple((SPLITS[sheet.split].capitalize(), sheet) for sheet in sheets[1:]),
        files=tuple((form, f"{FOLDER}/{name}.{form}") for form in forms),
    )
