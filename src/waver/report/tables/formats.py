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
_HTML = re.compile(r"<(?=[A-Za-z/!?])")
_FORMULA = re.compile(r"\s*[=@]|\s*[+-](?=\S*[A-Za-z(|!])")
"""How a formula begins: also with a sign, unless a number alone follows."""


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: the first line.
        below: a second line: interval, mark.
        values: one per part of the column, for CSV; empty where there is none.
        marked: a predictor with one answer for everything has the same score.
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
        group: heading over the columns of a group.
        parts: what CSV appends to the heading, one column each.
    """

    head: str
    group: str = ""
    parts: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class Line:
    """One row: its labels, its cells, and its body of the table."""

    labels: tuple[str, ...]
    cells: tuple[Cell, ...]
    body: str


@dataclass(frozen=True)
class TableData:
    """One table.

    Attributes:
        name: of its files, without suffix.
        split: split of the scores; empty for a table without scores.
        heads: headings of the labels.
        ours: lines of this run, controls not counted.
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
        """The table for JSON."""
        return asdict(self)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> TableData:
        """Inverse of ``record``, also after JSON."""
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in record.items()}
        values["columns"] = tuple(Column(one["head"], one["group"], tuple(one["parts"])) for one in record["columns"])
        values["lines"] = tuple(
            Line(tuple(one["labels"]), tuple(map(_cell, one["cells"])), one["body"]) for one in record["lines"]
        )
        return cls(**values)

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


def read_table_index(index: Path) -> list[list[TableData]]:
    """The tables of ``tables.json`` (rule ``report_tables``), those of one name together."""
    return [[TableData.of(record) for record in tables] for tables in json.loads(index.read_text())["tables"]]


def with_ours(tables: Sequence[Sequence[TableData]]) -> list[Sequence[TableData]]:
    """Tables with at least one line of this run."""
    return [splits for splits in tables if any(table.ours for table in splits)]


def form(tables: Sequence[TableData], suffix: str) -> str:
    """The file of one or more tables of the same columns, by its suffix."""
    return {"md": markdown, "csv": comma_separated, "tex": latex}[suffix](tables)


def markdown(tables: Sequence[TableData]) -> str:
    """Headings, tables and notes."""
    return "\n".join(f"{_markdown(table)}\n" for table in tables)


def _markdown(table: TableData) -> str:
    heads = [*table.heads, *(_full_head(column) for column in table.columns)]
    level = "|".join(["---"] * len(table.heads) + ["---:"] * len(table.columns))
    rows = [_markdown_row(heads), f"|{level}|"]
    for body, lines in table.bodies:
        if body:
            rows.append(_markdown_row([f"*{body}*", *[""] * (len(heads) - 1)]))
        rows += [_markdown_row([*line.labels, *map(_markdown_cell, line.cells)]) for line in lines]
    notes = [f"{number}. {note}" for number, note in enumerate(table.notes, 1)]
    caption, *paragraphs = (_markdown_text(text) for text in (table.caption, *notes))
    parts = [f"## {_markdown_text(table.title)}", caption, "\n".join(rows), "\n".join(paragraphs)]
    return "\n\n".join(part for part in parts if part)


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_markdown_text(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _markdown_text(text: str) -> str:
    """Text whose parts are no HTML and no links."""
    return _HTML.sub("&lt;", text).replace("](", "]\\(")


def _markdown_cell(cell: Cell) -> str:
    below = f" [{_one_line(cell.below)}]" if cell.below else ""
    return f"{cell.text}{below}{f' ({cell.note})' if cell.note else ''}"


def _full_head(column: Column) -> str:
    return f"{column.group}: {column.head}" if column.group else column.head


def _one_line(text: str) -> str:
    return "; ".join(text.split("\n"))


def comma_separated(tables: Sequence[TableData]) -> str:
    """One header; unrounded numbers; the notes of a line in its last column."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    first = tables[0]
    own = [f"{_full_head(column)}{part}" for column in first.columns for part in column.parts]
    writer.writerow([*first.heads, "body", "split", *own, "remark"])
    for table in tables:
        for line in table.lines:
            values = [v for column, cell in zip(table.columns, line.cells, strict=True) for v in _values(column, cell)]
            remarks = dict.fromkeys(table.notes[cell.note - 1] for cell in line.cells if cell.note)
            row = [*line.labels, line.body, table.split, *values, "; ".join(remarks)]
            writer.writerow([_no_formula(value) if isinstance(value, str) else value for value in row])
    return buffer.getvalue()


def _no_formula(text: str) -> str:
    """Text that a spreadsheet does not run as a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def _values(column: Column, cell: Cell) -> list[Value]:
    return [*cell.values, *[""] * (len(column.parts) - len(cell.values))]


def latex(tables: Sequence[TableData]) -> str:
    """One ``table`` environment per table; needs the packages booktabs and, for wide tables, graphicx."""
    head = "% \\usepackage{booktabs,graphicx}\n"
    return head + "\n".join(_latex(table) for table in tables)


def _latex(table: TableData) -> str:
    columns = "l" * len(table.heads) + "r" * len(table.columns)
    label = "-".join(filter(None, [table.name.replace("_", "-"), table.split]))
    rows = []
    for body, lines in table.bodies:
        rows.append("\\midrule")
        if body:
            rows.append(f"\\multicolumn{{{len(columns)}}}{{l}}{{\\emph{{{tex(body)}}}}} \\\\")
        rows += [" & ".join([*map(tex, line.labels), *map(_latex_cell, line.cells)]) + " \\\\" for line in lines]
    notes = [f"\\textsuperscript{{{number}}}~{tex(note)}" for number, note in enumerate(table.notes, 1)]
    return "\n".join(
        [
            "\\begin{table}",
            "\\centering",
            f"\\caption{{{tex(table.title)}. {tex(table.caption)}}}",
            f"\\label{{tab:{label}}}",
            "\\resizebox{\\linewidth}{!}{%",
            f"\\begin{{tabular}}{{{columns}}}",
            "\\toprule",
            *_latex_heads(table),
            *rows,
            "\\bottomrule",
            "\\end{tabular}}",
            *([f"\\par\\raggedright\\footnotesize {'; '.join(notes)}"] if notes else []),
            "\\end{table}",
            "",
        ]
    )


def _latex_heads(table: TableData) -> list[str]:
    heads = " & ".join([*map(tex, table.heads), *(tex(column.head) for column in table.columns)]) + " \\\\"
    if not table.groups:
        return [heads]
    over, rules, place = [""] * len(table.heads), [], len(table.heads) + 1
    for group, width in table.groups:
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
    """The text with LaTeX's special characters escaped."""
    return re.sub("|".join(map(re.escape, _TEX)), lambda found: _TEX[found[0]], text)
