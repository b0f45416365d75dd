"""A table as data, and its three forms: Markdown, CSV and LaTeX (booktabs)."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

FORMS = ("md", "csv", "tex")
"""Suffixes of the files of a table."""

Value = float | int | str


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: what is read.
        below: a second line: interval, mark.
        values: one a part of the column, for CSV; empty where there is nothing.
        marked: the number is what a predictor with one answer for everything scores.
        note: number of the note of the table that explains the cell, from 1; 0 for none.
    """

    text: str
    below: str = ""
    values: tuple[Value, ...] = ()
    marked: bool = False
    note: int = 0


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        head: its heading.
        group: heading over it and its neighbours of the same group.
        parts: what CSV appends to the heading, one column each.
    """

    head: str
    group: str = ""
    parts: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class Line:
    """One row: its labels, its cells, and the body of the table in which it stands."""

    labels: tuple[str, ...]
    cells: tuple[Cell, ...]
    body: str


@dataclass(frozen=True)
class Sheet:
    """One table.

    Attributes:
        name: of its files, without suffix.
        split: what was scored; empty for a table without scores.
        heads: headings of the labels.
        ours: lines that this run filled, foot not counted.
    """

    name: str
    title: str
    split: str
    caption: str
    heads: tuple[str, ...]
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]
    ours: int = 0

    def record(self) -> dict[str, Any]:
        """The table as JSON holds it."""
        return asdict(self)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Sheet:
        """Inverse of ``record``, after a way through JSON."""
        whole: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in record.items()}
        whole["columns"] = tuple(Column(one["head"], one["group"], tuple(one["parts"])) for one in record["columns"])
        whole["lines"] = tuple(
            Line(tuple(one["labels"]), tuple(map(_cell, one["cells"])), one["body"]) for one in record["lines"]
        )
        return cls(**whole)

    @property
    def bodies(self) -> list[tuple[str, list[Line]]]:
        """Lines by body, in order."""
        return [(body, list(lines)) for body, lines in groupby(self.lines, key=lambda line: line.body)]

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Headings over the columns and how many each spans; empty where there are none."""
        if not any(column.group for column in self.columns):
            return []
        return [(group, len(list(columns))) for group, columns in groupby(self.columns, key=lambda c: c.group)]


def _cell(record: Mapping[str, Any]) -> Cell:
    return Cell(**{**record, "values": tuple(record["values"])})


def read_sheets(index: Path) -> list[list[Sheet]]:
    """The tables that the rule ``report_tables`` kept in ``tables.json``, those of one name together."""
    return [[Sheet.of(record) for record in sheets] for sheets in json.loads(index.read_text())["tables"]]


def with_ours(tables: Sequence[Sequence[Sheet]]) -> list[Sequence[Sheet]]:
    """Tables to which this run gave at least one line."""
    return [sheets for sheets in tables if any(sheet.ours for sheet in sheets)]


def form(sheets: Sequence[Sheet], suffix: str) -> str:
    """The file of one or more tables of the same columns, by its suffix."""
    return {"md": markdown, "csv": comma_separated, "tex": latex}[suffix](sheets)


def markdown(sheets: Sequence[Sheet]) -> str:
    """Headings, tables and notes."""
    return "\n".join(f"{_markdown(sheet)}\n" for sheet in sheets)


def _markdown(sheet: Sheet) -> str:
    heads = [*sheet.heads, *(_full_head(column) for column in sheet.columns)]
    level = "|".join(["---"] * len(sheet.heads) + ["---:"] * len(sheet.columns))
    rows = [_markdown_row(heads), f"|{level}|"]
    for body, lines in sheet.bodies:
        if body:
            rows.append(_markdown_row([f"*{body}*", *[""] * (len(heads) - 1)]))
        rows += [_markdown_row([*line.labels, *map(_markdown_cell, line.cells)]) for line in lines]
    notes = [f"{number}. {note}" for number, note in enumerate(sheet.notes, 1)]
    parts = [f"## {sheet.title}", sheet.caption, "\n".join(rows), "\n".join(notes)]
    return "\n\n".join(part for part in parts if part)


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _markdown_cell(cell: Cell) -> str:
    below = f" [{_one_line(cell.below)}]" if cell.below else ""
    return f"{cell.text}{below}{f' ({cell.note})' if cell.note else ''}"


def _full_head(column: Column) -> str:
    return f"{column.group}: {column.head}" if column.group else column.head


def _one_line(text: str) -> str:
    return "; ".join(text.split("\n"))


def comma_separated(sheets: Sequence[Sheet]) -> str:
    """One header; numbers as they are, unrounded; the notes of a line in its last column."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    first = sheets[0]
    own = [f"{_full_head(column)}{part}" for column in first.columns for part in column.parts]
    writer.writerow([*first.heads, "body", "split", *own, "remark"])
    for sheet in sheets:
        for line in sheet.lines:
            values = [v for column, cell in zip(sheet.columns, line.cells, strict=True) for v in _values(column, cell)]
            told = dict.fromkeys(sheet.notes[cell.note - 1] for cell in line.cells if cell.note)
            writer.writerow([*line.labels, line.body, sheet.split, *values, "; ".join(told)])
    return buffer.getvalue()


def _values(column: Column, cell: Cell) -> list[Value]:
    return [*cell.values, *[""] * (len(column.parts) - len(cell.values))]


def latex(sheets: Sequence[Sheet]) -> str:
    """One ``table`` environment a sheet; wants the packages booktabs and, for wide tables, graphicx."""
    head = "% \\usepackage{booktabs,graphicx}\n"
    return head + "\n".join(_latex(sheet) for sheet in sheets)


def _latex(sheet: Sheet) -> str:
    columns = "l" * len(sheet.heads) + "r" * len(sheet.columns)
    label = "-".join(filter(None, [sheet.name.replace("_", "-"), sheet.split]))
    rows = []
    for body, lines in sheet.bodies:
        rows.append("\\midrule")
        if body:
            rows.append(f"\\multicolumn{{{len(columns)}}}{{l}}{{\\emph{{{tex(body)}}}}} \\\\")
        rows += [" & ".join([*map(tex, line.labels), *map(_latex_cell, line.cells)]) + " \\\\" for line in lines]
    notes = [f"\\textsuperscript{{{number}}}~{tex(note)}" for number, note in enumerate(sheet.notes, 1)]
    return "\n".join(
        [
            "\\begin{table}",
            "\\centering",
            f"\\caption{{{tex(sheet.title)}. {tex(sheet.caption)}}}",
            f"\\label{{tab:{label}}}",
            "\\resizebox{\\linewidth}{!}{%",
            f"\\begin{{tabular}}{{{columns}}}",
            "\\toprule",
            *_latex_heads(sheet),
            *rows,
            "\\bottomrule",
            "\\end{tabular}}",
            *([f"\\par\\raggedright\\footnotesize {'; '.join(notes)}"] if notes else []),
            "\\end{table}",
            "",
        ]
    )


def _latex_heads(sheet: Sheet) -> list[str]:
    heads = " & ".join([*map(tex, sheet.heads), *(tex(column.head) for column in sheet.columns)]) + " \\\\"
    if not sheet.groups:
        return [heads]
    over, rules, place = [""] * len(sheet.heads), [], len(sheet.heads) + 1
    for group, width in sheet.groups:
        over.append(f"\\multicolumn{{{width}}}{{c}}{{{tex(group)}}}")
        if group:
            rules.append(f"\\cmidrule(lr){{{place}-{place + width - 1}}}")
        place += width
    return [" & ".join(over) + " \\\\", *rules, heads]


def _latex_cell(cell: Cell) -> str:
    text = tex(cell.text)
    if cell.marked:
        text = f"\\emph{{{text}}}"
    below = f" {{\\scriptsize {tex(_one_line(cell.below))}}}" if cell.below else ""
    note = f"\\textsuperscript{{{cell.note}}}" if cell.note else ""
    return f"{text}{below}{note}"


_TEX = {
    "\\": "\\textbackslash{}", "&": "\\&", "%": "\\%", "$": "\\$", "#": "\\#", "_": "\\_", "{": "\\{", "}": "\\}",
    "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "–": "--", "−": "$-$", "×": "$\\times$", "≈": "$\\approx$",
    "±": "$\\pm$", "“": "``", "”": "''", "’": "'", "<": "$<$", ">": "$>$", "·": "$\\cdot$",
}  # fmt: skip


def tex(text: str) -> str:
    """The text with what LaTeX would take as commands made harmless."""
    return re.sub("|".join(map(re.escape, _TEX)), lambda found: _TEX[found[0]], text)
