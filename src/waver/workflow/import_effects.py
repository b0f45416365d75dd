"""What a statement of a module does when it runs on import, beside defining names."""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING

from waver.errors import WaverError

if TYPE_CHECKING:
    from waver.workflow.definitions import Module

_PURE = frozenset(dir(builtins))
_CHANGES = frozenset(
    {"add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "setdefault", "update"}
)
"""Methods of lists, sets and tables that change them."""


def acts(module: Module, statement: ast.AST) -> bool:
    """Whether a statement may do more, when it runs on import, than to define the names that it binds."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            if any(getattr(inner, "name", "") == "__init_subclass__" for inner in statement.body):
                raise WaverError(f"{module.name}: __init_subclass__ cannot be followed; enter classes in a registry")
            return any(_enters(module, mark) for mark in statement.decorator_list)
        case ast.Assign() | ast.AugAssign() | ast.AnnAssign():
            places = [part for part in ast.walk(statement) if isinstance(part, ast.Subscript | ast.Attribute)]
            return any(isinstance(part.ctx, ast.Store) for part in places) or changes(module, statement)
        case ast.If() | ast.Try() | ast.TryStar() | ast.Match() | ast.ExceptHandler() | ast.match_case():
            parts = [part for part in ast.iter_child_nodes(statement)
                     if isinstance(part, ast.stmt | ast.ExceptHandler | ast.match_case)]  # fmt: skip
            return any(acts(module, part) for part in parts)
        case ast.Import() | ast.ImportFrom() | ast.Pass():
            return False
    return not is_text(statement)


def changes(module: Module, statement: ast.AST) -> bool:
    """Whether a value is computed by a method that changes a table of Waver's: ``_ = TABLE.setdefault(...)``."""
    return any(
        isinstance(part, ast.Attribute)
        and part.attr in _CHANGES
        and isinstance(part.value, ast.Name)
        and (part.value.id in module.statements or not isinstance(module.imports.get(part.value.id, ""), str))
        for part in ast.walk(statement)
    )


def changed_by(statement: ast.AST) -> str:
    """The name whose value a statement like ``TABLE["key"] = 1`` changes; empty where there is none."""
    match statement:
        case ast.AugAssign(target=target) | ast.Assign(targets=[target]):
            while isinstance(target, ast.Subscript):
                target = target.value
            return target.id if isinstance(target, ast.Name) else ""
    return ""


def _enters(module: Module, mark: ast.expr) -> bool:
    """Whether a decorator may enter a definition somewhere, so that nobody has to refer to it.

    Those of libraries do not, unless they are called so; of one of Waver's own it is not known.
    """
    mark = mark.func if isinstance(mark, ast.Call) else mark
    root = mark
    while isinstance(root, ast.Attribute | ast.Call):
        root = root.value if isinstance(root, ast.Attribute) else root.func
    name = root.id if isinstance(root, ast.Name) else ""
    of_library = isinstance(module.imports.get(name), str) or (name in _PURE and name not in module.statements)
    return not of_library or "register" in ast.unparse(mark)


def is_text(statement: ast.AST) -> bool:
    """Whether a statement is a docstring, of a module, a function or a constant."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
