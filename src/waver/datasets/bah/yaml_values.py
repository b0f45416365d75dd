"""Mappings of YAML from outside: where each key stands, and that none is there twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class Pairs(tuple[tuple[Any, Any], ...]):
    """A mapping as it stands in the file: keys in order, as often as they are there."""


class Table(dict[Any, Any]):
    """A mapping without a key twice.

    Attributes:
        lines: key -> line on which it stands, from 1.
    """

    def __init__(self, parts: Sequence[tuple[Any, Any]], lines: Sequence[int]) -> None:
        super().__init__(parts)
        self.lines = {key: line for (key, _), line in zip(parts, lines, strict=True)}


@dataclass(frozen=True)
class Unreadable:
    """Stands for a value that cannot be made.

    Attributes:
        reason: why, without any content of the file.
        line: where, from 1.
    """

    reason: str
    line: int


def table_of(parts: Sequence[tuple[Any, Any]], lines: Sequence[int]) -> Table:
    """Entries; of those that have one key, none can be taken for the right one."""
    again = {key: line for number, ((key, _), line) in enumerate(zip(parts, lines, strict=True)) if number}
    times = Counter(key for key, _ in parts)
    kept = [(key, Unreadable("is there twice", again[key]) if times[key] > 1 else value) for key, value in parts]
    return Table(kept, lines)


def named(key: Any, value: Any, line: int) -> tuple[Any, Any]:
    """An entry, unless its key is a list or table, which names nothing."""
    if isinstance(key, list | dict):
        return ("", line), Unreadable("has a value that cannot be read", line)
    return key, value
