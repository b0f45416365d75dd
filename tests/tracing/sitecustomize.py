"""Loaded by Python in every job of a traced run: writes down which functions of Waver run, and which files are read.

The folder is named by WAVER_TRACE; each job appends to a file named after its script, one line for each function
(file, line, name) or data file below the package, relative to it. Left out are what runs while a module is imported,
which counts with the module, and what ``waver.workflow.job`` does around the job's own work (log, limits, provenance).

Waver's modules are compiled with a call at the head of each function. ``sys.setprofile`` would be asked at every call
of every library, and doubles the time of a run.
"""

from __future__ import annotations

import ast
import builtins
import os
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from types import CodeType, FrameType
from typing import Any

_PACKAGE = f"{os.sep}src{os.sep}waver{os.sep}"
_AROUND = ("workflow/job.py", "workflow/environment.py")
_CALLED = "_waver_function_called"


class _Marked(ast.NodeTransformer):
    """Functions that begin with a call of ``_CALLED``."""

    def visit_FunctionDef(self, node: Any) -> Any:
        self.generic_visit(node)
        node.body.insert(ast.get_docstring(node, clean=False) is not None, ast.Expr(_call()))
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> Any:
        return self.visit_FunctionDef(node)

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        self.generic_visit(node)
        node.body = ast.BoolOp(ast.Or(), [_call(), node.body])  # the call returns None
        return node


def _call() -> ast.Call:
    return ast.Call(ast.Name(_CALLED, ast.Load()), [], [])


def _mark(called: Callable[[], None]) -> None:
    """Compile Waver's modules from their source, marked."""
    setattr(builtins, _CALLED, called)
    plain = SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, name: str) -> CodeType | None:
        path = self.get_filename(name)
        if _PACKAGE not in path or _relative(path).startswith(_AROUND):
            return plain(self, name)
        tree = ast.fix_missing_locations(_Marked().visit(ast.parse(self.get_data(path))))
        return compile(tree, path, "exec", dont_inherit=True)

    SourceFileLoader.get_code = get_code  # type: ignore[method-assign]


def _begin(folder: str, job: str) -> None:
    stream = open(os.path.join(folder, job), "a", buffering=1)  # noqa: SIM115 (as long as the process)
    seen: set[Any] = set()

    def write(*parts: object) -> None:
        if parts not in seen:
            seen.add(parts)
            stream.write("\t".join(map(str, parts)) + "\n")

    def called() -> None:
        frame = sys._getframe(1)
        code = frame.f_code
        if code not in seen and not _not_the_work(frame):
            seen.add(code)
            write(_relative(code.co_filename), code.co_firstlineno, code.co_qualname)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        opened = str(arguments[0]) if event == "open" else ""
        if _PACKAGE in opened and not opened.endswith((".py", ".pyc")):
            write(_relative(opened), 0, "read")

    sys.addaudithook(audit)
    _mark(called)


def _not_the_work(frame: FrameType | None) -> bool:
    while frame is not None:
        code: CodeType = frame.f_code
        around = _relative(code.co_filename).startswith(_AROUND)
        if _PACKAGE in code.co_filename and (code.co_name == "<module>" or around):
            return True
        frame = frame.f_back
    return False


def _relative(path: str) -> str:
    return path.split(_PACKAGE)[-1]


if "WAVER_TRACE" in os.environ:
    _script = next((part for part in sys.orig_argv if f".snakemake{os.sep}scripts{os.sep}" in part), "")
    if _script:  # processes that the job starts write to the same file
        os.environ["WAVER_TRACE_JOB"] = os.path.basename(_script).split(".")[-2]
    if "WAVER_TRACE_JOB" in os.environ:
        _begin(os.environ["WAVER_TRACE"], os.environ["WAVER_TRACE_JOB"])
