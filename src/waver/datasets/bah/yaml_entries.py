"""YAML from outside, made into plain values entry by entry: one that is odd or hostile costs only itself.

libyaml gives the file's events. Values are put together here instead of by PyYAML, whose composer calls itself for
every level (a file of 100 KB can end the process), stops the file at the first unknown tag or date, and multiplies
merged mappings. Time and memory grow with the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from waver.datasets.bah.yaml_values import Pairs, Table, Unreadable, named, table_of
from waver.datasets.text_files import UNREADABLE

_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_PREFIX = "tag:yaml.org,2002:"
_TUPLE = f"{_PREFIX}python/tuple"
_SCALARS = {f"{_PREFIX}{name}" for name in ("null", "bool", "int", "float", "timestamp")}
_TEXTS = (f"{_PREFIX}str", f"{_PREFIX}value")
_ENTRY = re.compile(r"^[^\s#\[\]{}-][^\n]*:[ ]*$", re.MULTILINE)
"""First line of an entry of a table in block style."""
_NULL = ("", "~", "null", "Null", "NULL")
_DEEPEST = 64
"""Levels of an entry; the release has six."""
_DEEPEST_OF_ALL = 1000
"""Levels of a file; libyaml's time grows with the square of the levels."""
_LONGEST_NUMBER = 100
"""Characters of a number, date or other value that is no text."""
_SHARED = 10_000
"""Values that a file may hold through aliases, beside ten times those that it spells out."""


class TooDeep(yaml.YAMLError):
    """The file is nested too deeply to be read on."""


@dataclass
class _Open:
    """A mapping or sequence whose end is still to come."""

    kind: str
    anchor: str | None
    line: int
    parts: list[Any] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    size: int = 1


@dataclass
class _Reading:
    """What is known while the events of a document come."""

    known: dict[str, tuple[Any, int]]
    open: list[_Open] = field(default_factory=list)
    own: int = 0
    shared: int = 0
    problem: Unreadable | None = None


def read_document(text: str, tags: Mapping[str, Callable[[str], Any]] | None = None, texts: bool = False) -> Any:
    """The value of a text's only document; None of an empty one.

    Args:
        text: the document.
        tags: what makes the value of a scalar with a tag of the caller's own.
        texts: scalars stay the text that stands there ("" of a null), and mappings are Pairs: of YAML's numbers
            0123 is octal, and of two equal keys the last one counts.

    Returns:
        Of a mapping, a Table (or Pairs) whose values may be Unreadable; of anything else, the value or Unreadable.

    Raises:
        yaml.YAMLError: the text is not YAML, has several documents, or is nested too deeply to be read on.
    """
    loader = _Safe(text)
    try:
        return _Builder(loader, tags or {}, texts=texts).document()
    finally:
        loader.dispose()


def read_apart(text: str, tags: Mapping[str, Callable[[str], Any]] | None = None, texts: bool = False) -> Any:
    """The entries of a table that is not YAML as a whole, each read by itself; one that is not is Unreadable.

    Args:
        text: a table in block style, whose entries begin at the left margin.
        tags: see ``read_document``.
        texts: see ``read_document``.

    Returns:
        A Table, or Pairs; None where the text is no such table, looks cut off, or is mostly not YAML.
    """
    starts = [begin.start() for begin in _ENTRY.finditer(text)]
    if len(starts) < 2 or not text.endswith("\n") or text[: starts[0]].strip(" \n-"):
        return None
    found: list[tuple[Any, Any]] = []
    lines: list[int] = []
    known: dict[str, tuple[Any, int]] = {}
    broken = 0
    line = text.count("\n", 0, starts[0])
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        part = text[start:end]
        loader = _Safe(part)
        try:
            entry = _Builder(loader, tags or {}, known, line, texts).document()
            if not isinstance(entry, Pairs | Table):  # a text in quotes, say, that has a colon
                raise ValueError("no entry")
            found += entry.items() if isinstance(entry, Table) else entry
            lines += entry.lines.values() if isinstance(entry, Table) else []
        except (yaml.YAMLError, TypeError, ValueError, AttributeError):
            name = part.split("\n", 1)[0].rpartition(":")[0].strip(" '\"")
            found.append((name, Unreadable("is not readable as YAML", line + 1)))
            lines.append(line + 1)
            broken += 1
        finally:
            loader.dispose()
        line += part.count("\n")
    if 2 * broken > len(starts):
        return None
    return Pairs(found) if texts else table_of(found, lines)


class _Builder:
    """Puts the value of one document together.

    Args:
        loader: gives the events.
        tags: see ``read_document``.
        known: anchor -> value and size, of entries before; filled.
        line: lines before the text.
        texts: see ``read_document``.
    """

    def __init__(
        self,
        loader: Any,
        tags: Mapping[str, Callable[[str], Any]],
        known: dict[str, tuple[Any, int]] | None = None,
        line: int = 0,
        texts: bool = False,
    ) -> None:
        self._loader, self._tags, self._line, self._texts = loader, tags, line, texts
        self._now = _Reading({} if known is None else known)

    def document(self) -> Any:
        documents: list[Any] = []
        for event in self._events():
            if isinstance(event, yaml.DocumentStartEvent) and documents:
                raise yaml.MarkedYAMLError(problem="several documents", problem_mark=event.start_mark)  # type: ignore[arg-type]
            for value in self._finished(event):
                documents.append(value)
        return documents[0] if documents else None

    def _events(self) -> Iterator[Any]:
        while self._loader.check_event():
            yield self._loader.get_event()

    def _finished(self, event: Any) -> Iterator[Any]:
        """The document's value, when its last event has come."""
        now = self._now
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._begin(event)
            return
        if isinstance(event, yaml.ScalarEvent):
            now.own += 1
            value, size = self._attempt(event, lambda: self._scalar(event)), 1
        elif isinstance(event, yaml.AliasEvent):
            value, size = self._alias(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            done = now.open.pop()
            value, size = self._attempt(event, lambda: self._collection(done), done.line), done.size
            if done.anchor:
                now.known[done.anchor] = value, size
        else:
            return
        if isinstance(event, yaml.ScalarEvent) and event.anchor:
            now.known[event.anchor] = value, size
        if not now.open:
            yield now.problem or value
            return
        self._put(value, size, self._line + event.start_mark.line + 1)

    def _put(self, value: Any, size: int, line: int) -> None:
        """Into the innermost open collection; at the end of an entry, its problem instead of its value."""
        now = self._now
        above = now.open[-1]
        if len(now.open) == 1 and above.kind == "map" and now.problem is not None:
            value, now.problem = now.problem, None
        above.parts.append(value)
        above.lines.append(line)
        above.size += size

    def _begin(self, event: Any) -> None:
        now = self._now
        now.own += 1
        line = event.start_mark.line + 1
        if len(now.open) >= _DEEPEST_OF_ALL:
            raise TooDeep(f"more than {_DEEPEST_OF_ALL} levels")
        if len(now.open) >= _DEEPEST:
            self._fail("is nested too deeply", line)
        kind = "map" if isinstance(event, yaml.MappingStartEvent) else "list"
        if event.tag == _TUPLE and kind == "list":
            kind = "tuple"
        elif event.tag not in (None, "!", f"{_PREFIX}map", f"{_PREFIX}seq"):
            self._fail("has a tag that is not known", line)
        now.open.append(_Open(kind, event.anchor, line))

    def _attempt(self, event: Any, make: Callable[[], Any], line: int | None = None) -> Any:
        try:
            return make()
        except (ValueError, TypeError, OverflowError, LookupError, yaml.YAMLError):
            self._fail("has a value that cannot be read", line or event.start_mark.line + 1)
            return None

    def _fail(self, reason: str, line: int) -> None:
        if self._now.problem is None:
            self._now.problem = Unreadable(reason, self._line + line)

    def _scalar(self, event: Any) -> Any:
        tag, text = event.tag, event.value
        if UNREADABLE in text and not self._texts:
            self._fail("has text that is not UTF-8", event.start_mark.line + 1)
            return text
        if self._texts:
            return "" if event.implicit[0] and text in _NULL else text
        if tag is None or tag == "!":
            tag = self._loader.resolve(yaml.ScalarNode, text, event.implicit)
        if tag in _TEXTS:
            return text
        if tag in self._tags:
            return self._tags[tag](text)
        if tag not in _SCALARS or len(text) > _LONGEST_NUMBER:
            raise ValueError(tag)
        node = yaml.ScalarNode(tag, text, event.start_mark, event.end_mark)
        return self._loader.yaml_constructors[tag](self._loader, node)

    def _alias(self, event: Any) -> tuple[Any, int]:
        now, line = self._now, event.start_mark.line + 1
        value, size = now.known.get(event.anchor, (None, 0))
        if not size:
            self._fail("refers to a value that is not there", line)
        elif now.shared + size > _SHARED + 10 * now.own:
            self._fail("repeats too many values by aliases", line)
            return None, 1
        now.shared += size
        return value, size + 1

    def _collection(self, done: _Open) -> Any:
        if done.kind == "map" and self._texts:
            return Pairs(zip(done.parts[::2], done.parts[1::2], strict=True))
        if done.kind == "map":
            pairs, lines = list(zip(done.parts[::2], done.parts[1::2], strict=True)), done.lines[::2]
            if not self._now.open:
                return table_of([named(*pair, line) for pair, line in zip(pairs, lines, strict=True)], lines)
            table = Table(pairs, lines)
            if len(table) < len(pairs):
                self._fail("gives a value twice", done.line)
            return table
        return tuple(done.parts) if done.kind == "tuple" else done.parts
