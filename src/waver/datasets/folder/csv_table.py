"""CSV tables as people's programs write them: with commas or semicolons, quotes, a byte order mark, odd capitals."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from waver.datasets.clean_text import composed, printable
from waver.datasets.exclusions import Row, exclusion_row
from waver.datasets.inventory import VIDEO_SUFFIXES
from waver.datasets.text_files import NOT_UTF_8, UNREADABLE, decoded
from waver.errors import WaverError

log = logging.getLogger(__name__)

BROKEN_QUOTES = "its quotes are not closed, or stand inside a field"
MEND_LINE = "mend its quotes and its number of fields, and save the table as CSV in UTF-8"
_DELIMITERS = ",;\t"
_LONGEST = 131_072
"""Characters of a field; a day of speech has fewer."""


@dataclass(frozen=True)
class Line:
    """A row of a table.

    Attributes:
        where: file and line, for messages.
        values: column, in lower case -> text without space around it, in Unicode's composed form; empty where the
            row gives nothing.
        problem: why the row cannot be read; empty where it can.
        parts: of a row that cannot be read, all its texts, for they may be of other columns.
    """

    where: str
    values: dict[str, str]
    problem: str = ""
    parts: tuple[str, ...] = ()

    def __getitem__(self, column: str) -> str:
        return self.values.get(column, "")


class UnreadableTable(WaverError):
    """A table whose first line cannot be read; without a table that is not needed, the rest goes on."""


def read_csv(path: Path, needed: Sequence[str], optional: Sequence[str] = ()) -> list[Line]:
    """Rows of a table with a header line; the delimiter is the one that its header has most of.

    A row with broken quotes, or with characters that are not UTF-8, is a line with a problem; the others are read.

    Args:
        path: the file, in UTF-8, UTF-16 or UTF-32.
        needed: columns that it must have.
        optional: columns that it may have; others are refused, as they are mostly misspelt.

    Raises:
        UnreadableTable: its first line is no line of a table.
        WaverError: the file cannot be read, or has other columns.
    """
    try:
        text = printable(decoded(path.read_bytes()))
    except OSError as error:
        raise WaverError(f"{path} cannot be read ({error.strerror}); put the table there") from error
    with _long_fields(len(text)):
        return list(_lines(path, text.split("\n"), needed, optional))


def read_optional(path: Path, needed: Sequence[str], optional: Sequence[str], exclusions: list[Row]) -> list[Line]:
    """As ``read_csv``, of a table that need not be there; one that cannot be read is excluded as a whole.

    Args:
        path: as of ``read_csv``.
        needed: as of ``read_csv``.
        optional: as of ``read_csv``.
        exclusions: gets a row for a table that cannot be read.

    Raises:
        WaverError: it has other columns.
    """
    if not path.exists():
        return []
    try:
        return read_csv(path, needed, optional)
    except UnreadableTable as problem:
        log.warning("%s", problem)
        reason = "the table cannot be read, and none of its lines is used"
        exclusions.append(exclusion_row(path.name, reason, MEND_LINE, path=path.name))
        return []


@contextmanager
def _long_fields(characters: int) -> Iterator[None]:
    """Fields of any length are read here, so that one that is too long is a line's problem and not the table's."""
    before = csv.field_size_limit(max(characters, 1))
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _lines(path: Path, lines: list[str], needed: Sequence[str], optional: Sequence[str]) -> Iterator[Line]:
    delimiter = max(_DELIMITERS, key=lines[0].count)
    columns = _header(path, lines[0], delimiter)
    _check_columns(path, columns, needed, optional)
    source = _Source(lines, delimiter, columns)
    for first, row in source.rows():
        where = f"{path.name}, line {first + 1}"
        if row is None:
            parts = tuple(_clean(part[:_LONGEST]) for part in lines[first].replace('"', "").split(delimiter))
            yield Line(where, dict(zip(columns, parts, strict=False)), BROKEN_QUOTES, parts)
            continue
        problem = f"it has {len(row)} fields, the header {len(columns)}" if len(row) > len(columns) else ""
        longest = max(map(len, row), default=0)
        if longest > _LONGEST:
            problem = f"it has a field of {longest} characters, more than {_LONGEST}"
        elif any(UNREADABLE in value for value in row):
            problem = NOT_UTF_8
        cleaned = tuple(_clean(value[:_LONGEST]) for value in row)
        if any(cleaned) or problem:
            yield Line(where, dict(zip(columns, cleaned, strict=False)), problem, cleaned if problem else ())


def _header(path: Path, line: str, delimiter: str) -> list[str]:
    try:
        found = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        raise UnreadableTable(f"{path} has broken quotes in its first line; mend them and save it again") from error
    if UNREADABLE in line:
        raise UnreadableTable(f"{path} is not in UTF-8; save it again as CSV in UTF-8")
    return [_clean(name).lower() for name in found]


class _Source:
    """Lines of a table from the second on, one by one to the parser, which starts anew after a broken row.

    A quote that is not closed would swallow the rows after it; a line that is a row by itself ends the one before.
    """

    def __init__(self, lines: list[str], delimiter: str, columns: Sequence[str]) -> None:
        self._lines, self._delimiter, self._columns = lines, delimiter, columns
        self._next, self._first = 1, 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._next >= len(self._lines):
            raise StopIteration
        line = self._lines[self._next]
        if self._next > self._first and self._is_row(line):
            raise csv.Error
        self._next += 1
        return f"{line}\n"

    def rows(self) -> Iterator[tuple[int, list[str] | None]]:
        """Number of a row's first line, from 0, and its fields; None where it is broken."""
        parser = self._parser()
        while True:
            self._first = self._next
            try:
                row = next(parser, None)
            except csv.Error:
                yield self._first, None
                self._next = self._first + 1
                parser = self._parser()
                continue
            if row is None:
                return
            yield self._first, row

    def _parser(self) -> Iterator[list[str]]:
        return csv.reader(self, delimiter=self._delimiter, skipinitialspace=True, strict=True)

    def _is_row(self, line: str) -> bool:
        fields = dict(zip(self._columns, line.split(self._delimiter), strict=False))
        if "video" in self._columns:
            return fields.get("video", "").strip(' "').lower().endswith(VIDEO_SUFFIXES)
        return fields.get("question", "").strip(' "').isdigit()


def _clean(value: str) -> str:
    return composed(value).strip()


def _check_columns(path: Path, columns: Sequence[str], needed: Sequence[str], optional: Sequence[str]) -> None:
    missing = [name for name in needed if name not in columns]
    if missing:
        raise (WaverError if any(columns) else UnreadableTable)(
            f"{path} has no column {', '.join(missing)}; "
            f"its first line must name {', '.join(needed)}, and may name {', '.join(optional)}"
        )
    known = [*needed, *optional]
    # without a header line, the first line is of a person: it is not quoted
    strange = [str(place) for place, name in enumerate(columns, start=1) if name and name not in known]
    if strange or len(set(columns)) < len(columns):
        what = f"columns with unknown names (number {', '.join(strange)})" if strange else "a column twice"
        raise WaverError(f"{path} has {what}; known are {', '.join(known)}: rename or remove the others")
