"""Tables for other programs: CSV with a data dictionary, a Frictionless Table Schema for all files of a kind."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from waver.io.atomic import atomic_write

_TYPES = {
    "string": "string",
    "int32": "integer",
    "int64": "integer",
    "float": "number",
    "double": "number",
    "bool": "boolean",
}
_DIGITS = 6


def column(name: str, kind: pa.DataType, meaning: str, nullable: bool = False) -> pa.Field:
    """A column of a table, with what its values mean."""
    return pa.field(name, kind, nullable=nullable, metadata={"meaning": meaning})


def write_dictionary(path: Path, schema: pa.Schema) -> None:
    """Write the Table Schema of a table's CSV file."""
    fields = [
        {
            "name": one.name,
            "type": _TYPES[str(one.type)],
            "description": one.metadata[b"meaning"].decode(),
            "constraints": {"required": not one.nullable},
        }
        for one in schema
    ]
    write_json(path, {"fields": fields, "missingValues": [""]})


def write_json(path: Path, value: Any) -> None:
    """Write JSON, atomically."""
    with atomic_write(path) as file:
        file.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_csv(path: Path, table: pa.Table) -> None:
    """Decimal points, seconds with three digits, ``true`` and ``false``, nothing where nothing is known."""
    columns = [[_as_text(name, value) for value in table[name].to_pylist()] for name in table.column_names]
    with atomic_write(path) as file, file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(table.column_names)
        writer.writerows(zip(*columns, strict=True))


def _as_text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.{3 if name.endswith('_s') else _DIGITS}f}"
    return str(value)
