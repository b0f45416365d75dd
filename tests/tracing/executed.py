"""What a traced run executed, as definitions, see ``sitecustomize.py``."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from waver.workflow.definitions import SOURCE, Reference


def traced(work: Callable[[], object], trace: Path) -> None:
    """Do a job's work in this process, and write down what ``sitecustomize`` writes of a job, but for files read."""
    seen: set[tuple[str, int, str]] = set()

    def profile(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_name != "<module>" and code.co_filename.startswith(f"{SOURCE}/"):
            seen.add((code.co_filename[len(f"{SOURCE}/") :], code.co_firstlineno, code.co_qualname))

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    trace.write_text("".join("\t".join(map(str, one)) + "\n" for one in seen))


def definitions(trace: Path) -> set[Reference]:
    """The top-level definitions in which the functions stand that one rule's jobs executed."""
    rows = (line.split("\t") for line in trace.read_text().splitlines())
    return {_definition(file, int(line)) for file, line, name in rows if name != "read"}


def files(trace: Path) -> set[Path]:
    """The data files of the package that one rule's jobs opened."""
    rows = (line.split("\t") for line in trace.read_text().splitlines())
    return {SOURCE / file for file, _, name in rows if name == "read"}


def _definition(file: str, line: int) -> Reference:
    name = next((name for name, first, last in _spans(file) if first <= line <= last), "?")
    return Reference(f"waver.{file.removesuffix('.py').replace('/', '.')}".removesuffix(".__init__"), name)


@cache
def _spans(file: str) -> list[tuple[str, int, int]]:
    """Name, first and last line of each top-level statement; of a constant the first of its names."""
    found = []
    for statement in ast.parse((SOURCE / file).read_text()).body:
        names = [getattr(statement, "name", "")] if hasattr(statement, "name") else []
        names += [node.id for node in ast.walk(statement) if isinstance(node, ast.Name)]
        first = min([statement.lineno, *(mark.lineno for mark in getattr(statement, "decorator_list", []))])
        found.append((next(iter(names), "?"), first, statement.end_lineno or first))
    return found
