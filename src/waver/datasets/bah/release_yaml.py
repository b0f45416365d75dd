"""YAML as the release writes it: safe, fast, and with the tuples of Python's own dumper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from waver.datasets.bah.yaml_entries import TooDeep, read_apart, read_document
from waver.datasets.bah.yaml_values import Unreadable
from waver.datasets.clean_text import printable
from waver.datasets.text_files import decoded
from waver.errors import WaverError, is_machine_trouble


def read_text(path: Path) -> str:
    """Text of a file in UTF-8, UTF-16 or UTF-32, with line ends of any system; see ``printable`` and ``decoded``.

    Raises:
        WaverError: it cannot be opened.
        OSError: the disk or the network fails.
    """
    try:
        return printable(decoded(path.read_bytes()))
    except OSError as error:
        if is_machine_trouble(error):
            raise
        raise WaverError(f"{path} cannot be read ({error.strerror}); check the file and its permissions") from error


def parse_yaml(text: str, path: Path) -> Any:
    """Parse YAML text, in time and memory that grow with its length.

    Args:
        text: the document.
        path: where it came from, for messages.

    Raises:
        WaverError: it is not YAML, or holds a value that cannot be read; says file and line.
    """
    found = parse_entries(text, path)
    for value in found.values() if isinstance(found, dict) else [found]:
        if isinstance(value, Unreadable):
            raise WaverError(f"{path}, line {value.line}: an entry {value.reason}; mend that line")
    return found


def parse_entries(
    text: str, path: Path, tags: Mapping[str, Callable[[str], Any]] | None = None, texts: bool = False
) -> Any:
    """As ``parse_yaml``, but the value of an entry of a table that cannot be read is an ``Unreadable``.

    Args:
        text: the document.
        path: where it came from, for messages.
        tags: see ``read_document``.
        texts: see ``read_document``.

    Raises:
        WaverError: it is not YAML; says file and line.
    """
    try:
        return read_document(text, tags, texts)
    except yaml.YAMLError as error:
        apart = read_apart(text, tags, texts)
        if apart is None:
            raise _unreadable(error, text, path) from error
        return apart


def read_yaml(path: Path) -> Any:
    """Read a YAML file; see ``parse_yaml``."""
    return parse_yaml(read_text(path), path)


def _unreadable(error: Exception, text: str, path: Path) -> WaverError:
    return WaverError(
        f"{path}, line {_line(error, text)}: not readable as YAML ({_problem(error)}); "
        "copy the file again from the release, or mend that line"
    )


def _line(error: Exception, text: str) -> int:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return int(mark.line) + 1
    position = getattr(error, "position", None)  # of a character that YAML forbids
    return text.count("\n", 0, int(position)) + 1 if position is not None else 1


def _problem(error: Exception) -> str:
    if isinstance(error, TooDeep):
        return "nested too deeply"
    return str(getattr(error, "problem", None) or getattr(error, "reason", None) or type(error).__name__)
