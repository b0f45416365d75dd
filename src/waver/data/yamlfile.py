"""YAML as the release writes it: safe, fast, and with the tuples of Python's own dumper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from waver.errors import WaverError, is_machine_trouble

_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ReleaseLoader(_Safe):
    """libyaml's safe loader that also knows ``!!python/tuple``; nothing else of Python is made."""


def _tuple(loader: Any, node: Any) -> tuple[Any, ...]:
    return tuple(loader.construct_sequence(node, deep=True))


ReleaseLoader.add_constructor("tag:yaml.org,2002:python/tuple", _tuple)


def read_text(path: Path) -> str:
    """Text of a UTF-8 file, with or without a byte order mark, and line ends of any system.

    Raises:
        WaverError: it is not UTF-8 or cannot be opened.
        OSError: the disk or the network fails.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise WaverError(f"{path} is not UTF-8 text (byte {error.start}); copy it again from the release") from error
    except OSError as error:
        if is_machine_trouble(error):
            raise
        raise WaverError(f"{path} cannot be read ({error.strerror}); check the file and its permissions") from error


def parse_yaml(text: str, path: Path, loader: type[Any] = ReleaseLoader) -> Any:
    """Parse YAML text.

    Args:
        text: the document.
        path: where it came from, for messages.
        loader: ReleaseLoader or a subclass.

    Raises:
        WaverError: it is not YAML; says file and line.
    """
    try:
        return yaml.load(text, Loader=loader)
    except yaml.YAMLError as error:
        raise WaverError(
            f"{path}, line {_line(error, text)}: not readable as YAML ({_problem(error)}); "
            "copy the file again from the release, or mend that line"
        ) from error


def read_yaml(path: Path) -> Any:
    """Read a YAML file; see ``parse_yaml``."""
    return parse_yaml(read_text(path), path)


def _line(error: yaml.YAMLError, text: str) -> int:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return int(mark.line) + 1
    position = getattr(error, "position", None)  # of a character that YAML forbids
    return text.count("\n", 0, int(position)) + 1 if position is not None else 1


def _problem(error: yaml.YAMLError) -> str:
    return str(getattr(error, "problem", None) or getattr(error, "reason", None) or type(error).__name__)
