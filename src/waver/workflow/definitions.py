"""Waver's own source as a graph: each top-level definition, what it does, and which others it refers to.

Code is read as syntax trees and never imported. What a definition *does* is written down as its shape: the tree
without comments, layout, docstrings, annotations and imports, in which every reference to another definition of Waver
is a number and every reference to a library is its full dotted name. A module's path, the name under which something
is imported and the name of a function or constant are therefore no part of any shape.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

from waver.errors import WaverError

SOURCE = Path(__file__).resolve().parents[1]
"""The folder of the package; modules are found below its parent."""

EFFECTS = "<module>"
"""Name, in a ``Reference``, of the statements of a module that run on import and define no name."""
EVERYTHING = "*"
"""Name, in a ``Reference``, of all that a module defines."""


class Reference(NamedTuple):
    """A definition: the dotted name of its module, and its own name."""

    module: str
    name: str


@dataclass(frozen=True)
class Definition:
    """What one top-level function, class or constant does.

    Attributes:
        shape: digest of its tree, without what does not count.
        references: the definitions that it refers to, in the order in which they first stand in the shape.
        libraries: top-level names of the libraries that it refers to.
        files: data files of the package that it names; their contents are part of the shape.
    """

    shape: str
    references: tuple[Reference, ...]
    libraries: frozenset[str]
    files: frozenset[Path]


@dataclass
class Module:
    """The definitions of one file.

    Attributes:
        name: dotted name; of a script its path.
        path: the file.
        statements: name of a definition -> the statements that make it.
        effects: what runs on import and is no definition.
        imports: name in the module -> what it refers to: ``waver.x:f`` as a reference, a library as a dotted name.
    """

    name: str
    path: Path
    statements: dict[str, list[ast.stmt]] = field(default_factory=dict)
    effects: list[ast.stmt] = field(default_factory=list)
    imports: dict[str, Reference | str] = field(default_factory=dict)


def file_of(module: str) -> Path:
    """The file of a module of Waver, whether it exists or not."""
    path = SOURCE.parent.joinpath(*module.split("."))
    package = path / "__init__.py"
    return package if package.is_file() else path.with_suffix(".py")


@cache
def exists(module: str) -> bool:
    """Whether there is such a module."""
    return file_of(module).is_file()


@cache
def module_named(name: str) -> Module:
    """A module of Waver by its dotted name.

    Raises:
        WaverError: there is none.
    """
    if not exists(name):
        raise WaverError(f"there is no module {name} in {SOURCE}; correct the name where a rule or a registry has it")
    return _read(name, file_of(name))


@cache
def script(path: Path) -> Module:
    """A rule's script: everything in it is an effect."""
    module = Module(str(path), path)
    for statement in _tree(path).body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            module.imports |= imported(statement, module.name)
        else:
            module.effects.append(statement)
    return module


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _read(name: str, path: Path) -> Module:
    module = Module(name, path)
    for statement in _tree(path).body:
        match statement:
            case ast.Import() | ast.ImportFrom():
                module.imports |= imported(statement, name)
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                for inner in statement.body:
                    if isinstance(inner, ast.Import | ast.ImportFrom):
                        module.imports |= imported(inner, name)
            case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
                pass
            case _ if is_text(statement):
                pass
            case _:
                _define(module, statement)
    return module


def _define(module: Module, statement: ast.stmt) -> None:
    names = sorted(bound_by([statement]))
    target = _changed(statement)
    if target is not None and target in module.statements:
        names = [target]
    for name in names:
        module.statements.setdefault(name, []).append(statement)
    for inner in ast.walk(statement) if isinstance(statement, ast.Try | ast.If | ast.With) else ():
        if isinstance(inner, ast.Import | ast.ImportFrom):
            module.imports |= imported(inner, module.name)
    if not names or isinstance(statement, ast.Try | ast.If | ast.With | ast.For | ast.While) or _registers(statement):
        module.effects.append(statement)


def _changed(statement: ast.stmt) -> str | None:
    """The name whose value a statement like ``TABLE["key"] = 1`` changes."""
    match statement:
        case ast.AugAssign(target=target) | ast.Assign(targets=[target]):
            while isinstance(target, ast.Subscript):
                target = target.value
            return target.id if isinstance(target, ast.Name) else None
    return None


def _registers(statement: ast.stmt) -> bool:
    """Whether a decorator may enter a definition somewhere, so that nobody has to refer to it."""
    marks = getattr(statement, "decorator_list", [])
    return any("register" in ast.unparse(mark).split("(")[0] for mark in marks)


def is_text(statement: ast.AST) -> bool:
    """Whether a statement is a docstring, of a module, a function or a constant."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def imported(statement: ast.Import | ast.ImportFrom, module: str) -> dict[str, Reference | str]:
    """Name -> what it refers to, of one import statement in a module."""
    if isinstance(statement, ast.Import):
        names = [
            (a.asname or a.name.split(".")[0], a.name if a.asname else a.name.split(".")[0]) for a in statement.names
        ]
        return {
            name: Reference(target, EVERYTHING) if target.split(".")[0] == "waver" else target for name, target in names
        }
    if statement.level:
        raise WaverError(f"{module}: a relative import cannot be followed; write the module's full name")
    parent = str(statement.module)
    found: dict[str, Reference | str] = {}
    for alias in statement.names:
        target = f"{parent}.{alias.name}"
        if parent.split(".")[0] != "waver":
            found[alias.asname or alias.name] = target
        elif exists(target):
            found[alias.asname or alias.name] = Reference(target, EVERYTHING)
        else:
            found[alias.asname or alias.name] = Reference(parent, alias.name)
    return found


_NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_OWN_SCOPE = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def bound_by(statements: Iterable[ast.AST]) -> set[str]:
    """Names that statements bind in their own scope; those of nested functions and classes are not theirs."""
    names: set[str] = set()
    globals_: set[str] = set()
    waiting = list(statements)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                names.add(node.id)
        elif isinstance(node, _NESTED):
            names.add(node.name)
        elif isinstance(node, _OWN_SCOPE):  # but for x := ..., which binds outside of it
            names.update(part.target.id for part in ast.walk(node) if isinstance(part, ast.NamedExpr))
        elif isinstance(node, ast.Global):
            globals_.update(node.names)
        elif not isinstance(node, ast.Constant | ast.Import | ast.ImportFrom):
            if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
                names.add(node.name)
            if isinstance(node, ast.MatchMapping) and node.rest:
                names.add(node.rest)
            waiting.extend(ast.iter_child_nodes(node))
    return names - globals_


def content(path: Path) -> str:
    """Digest of a data file, or of the files in a folder of data files."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def data_file(node: ast.AST, path: Path) -> Path | None:
    """The data file that an expression like ``Path(__file__).with_name("words.yaml")`` names, if it does.

    Args:
        node: the expression.
        path: the file that contains it.
    """
    found = _evaluate(node, path)
    return found if found is not None and found != path and found not in path.parents else None


def _evaluate(node: ast.AST, path: Path) -> Path | None:
    match node:
        case ast.Call(func=ast.Name(id="Path"), args=[ast.Name(id="__file__")]):
            return path
        case ast.Call(func=ast.Attribute(value=inner, attr="resolve")):
            return _evaluate(inner, path)
        case ast.Attribute(value=inner, attr="parent"):
            found = _evaluate(inner, path)
            return found.parent if found is not None else None
        case ast.Call(func=ast.Attribute(value=inner, attr="with_name"), args=[ast.Constant(value=str(name))]):
            found = _evaluate(inner, path)
            return found.with_name(name) if found is not None else None
        case ast.BinOp(left=inner, op=ast.Div(), right=ast.Constant(value=str(name))):
            found = _evaluate(inner, path)
            return found / name if found is not None else None
    return None
