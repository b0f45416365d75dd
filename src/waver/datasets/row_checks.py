"""Rows that a reader gives, held to their tables one by one: a row that does not fit costs only itself."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from waver.datasets.base import SCHEMAS, DataSet
from waver.datasets.clean_text import printable
from waver.datasets.exclusions import Row, exclusion_row

log = logging.getLogger(__name__)

_OF_A_VIDEO = ("answers", "videos", "segments", "transcripts")
_LONGEST_ID = 200
"""Bytes of an id that names a file."""
_REMEDY = "correct what the data set says of it, or remove it from the lists"


def exclude_misfits(found: DataSet) -> None:
    """Take out the rows whose values do not fit their columns, and the rows of videos that are then unknown.

    Text loses control characters. A table that lacks a column is the reader's mistake, and is left to
    ``waver.datasets.base.check``.
    """
    for name in ("participants", *_OF_A_VIDEO):
        rows = found.table(name)
        bad = {number: why for number, row in enumerate(rows) if (why := _misfit(row, SCHEMAS[name]))}
        for number, (column, reason) in bad.items():
            _note(found, name, rows[number], column, reason)
        rows[:] = [row for number, row in enumerate(rows) if number not in bad]
    people = {row["participant"] for row in found.participants}
    found.answers[:] = [row for row in found.answers if row["participant"] in people]
    videos = {row["video"] for row in found.answers}
    for name in _OF_A_VIDEO[1:]:
        rows = found.table(name)
        rows[:] = [row for row in rows if row["video"] in videos]
    for row in found.set_aside:
        _misfit(row, SCHEMAS["set_aside"])


def _note(found: DataSet, name: str, row: Row, column: str, reason: str) -> None:
    item, person = (_text(row.get(key)) for key in ("video", "participant"))
    where = f"row of {name}" if name not in ("answers", "videos") else "video"
    log.warning("a %s is excluded: %s %s", where, column, reason)
    found.set_aside.append(
        exclusion_row(item or person or name, f"a value of its row of {name} {reason}", _REMEDY, person or None)
    )


def _text(value: Any) -> str:
    return printable(value)[:_LONGEST_ID] if isinstance(value, str) else ""


def _misfit(row: Row, schema: pa.Schema) -> tuple[str, str] | None:
    """Column and reason of the first value that does not fit; text is cleaned in place."""
    for field in schema:
        if field.name not in row:
            continue
        value = row[field.name]
        if value is None:
            if not field.nullable:
                return field.name, "is not given"
            continue
        if isinstance(value, str):
            value = row[field.name] = printable(value)
        fits = next(test for kind, test in _TESTS if kind(field.type))
        if not fits(value, field.type):
            if field.nullable and field.name != "label":
                row[field.name] = None  # as if nobody had said it
                log.warning("a %s is out of range and left out", field.name)
                continue
            return field.name, "is out of range"
        if field.name in ("video", "participant") and not _names_a_file(value):
            return field.name, "cannot name a file"
    return None


def _names_a_file(name: str) -> bool:
    return 0 < len(name.encode()) <= _LONGEST_ID and not name.startswith(".") and not set(name) & set("/\\\n\t")


def _whole(value: Any, kind: pa.DataType) -> bool:
    most = 2 ** (kind.bit_width - 1) - 1
    return isinstance(value, int) and not isinstance(value, bool) and -most - 1 <= value <= most


def _number(value: Any, _: pa.DataType) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_TESTS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any, pa.DataType], bool]], ...] = (
    (pa.types.is_integer, _whole),
    (pa.types.is_floating, _number),
    (pa.types.is_boolean, lambda value, _: isinstance(value, bool)),
    (pa.types.is_string, lambda value, _: isinstance(value, str)),
    (pa.types.is_list, lambda value, _: isinstance(value, list) and all(isinstance(one, str) for one in value)),
)
